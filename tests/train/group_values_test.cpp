// Settings that have values of their own for some kinds of tensors, from their text to the weights that they move.
#include "train/group_values.h"

#include <algorithm>

#include "runs.h"
#include "train/memory.h"
#include "train/schedule.h"
#include "train/settings_table.h"
#include "train/start.h"

namespace strider {
namespace {

const TrainingSetting& row_of(const std::string& option) {
  const auto& table = training_settings_table();
  return *std::ranges::find(table, option, [](const TrainingSetting& row) { return row.facts().option; });
}

TEST(GroupValues, AreReadAndWrittenAsText) {
  TrainingSettings settings;
  const TrainingSetting& row = row_of("group_learning_rates");
  row.read(settings, "lm_head=1e-3, matrices=0.01");
  EXPECT_EQ(settings.group_learning_rates, (GroupValues{std::nullopt, 0.01, 1e-3, std::nullopt}));
  EXPECT_EQ(std::get<std::string>(row.value(settings)), "matrices=0.01 lm_head=0.001");
  row.read(settings, "");
  EXPECT_EQ(settings.group_learning_rates, GroupValues{});
  EXPECT_EQ(std::get<std::string>(row.value(settings)), "");
}

TEST(GroupValues, AnythingElseIsRefusedByName) {
  TrainingSettings settings;
  for (const char* text : {"0.01", "matrices", "matrices=", "matrices=x", "matrices=1e", "matrices=-1", "matrices=nan",
                           "heads=1", "=1", "matrices=1 matrices=2", "matrices = 1", "embeddings=1e-3x"}) {
    try {
      row_of("group_learning_rates").read(settings, text);
      ADD_FAILURE() << text << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.message(), "--group_learning_rates (GROUP_LEARNING_RATES) is \"" + std::string(text) +
                                     "\", it must be a list such as \"matrices=0.01\", with values for embeddings, "
                                     "matrices, lm_head or norms, each a number of at least 0");
    }
  }
  EXPECT_THROW(row_of("group_warmup_steps").read(settings, "norms=1.5"), Error);
  EXPECT_THROW(row_of("group_adam_beta1").read(settings, "norms=1"), Error);
  EXPECT_THROW(row_of("group_weight_decays").read(settings, "norms=-0.1"), Error);
}

TEST(GroupValues, EachKindHasItsPeakAndAllHaveTheSchedule) {
  TrainingSettings settings;
  settings.warmup_steps = 4;
  settings.group_learning_rates = {std::nullopt, 0.01, 1e-3, std::nullopt};
  const auto rates = group_learning_rates_at(settings, 10, 7);  // half of the way down
  EXPECT_EQ(rates, (std::array{2.5e-4, 5e-3, 5e-4, 2.5e-4}));
  EXPECT_EQ(rates[0], learning_rate_at(settings, 10, 7));
  EXPECT_EQ(group_learning_rates_at(settings, 10, 1)[1], 0.0025);
  settings.group_warmup_steps = {2.0, 0.0, std::nullopt, 8.0};
  EXPECT_EQ(group_learning_rates_at(settings, 10, 1), (std::array{2.5e-4, 0.9 * 0.01, 2.5e-4, 6.25e-5}));
}

TEST(GroupValues, ReachTheGroupsOfTheEngine) {
  const test::ScratchFolder scratch;
  TrainingSettings settings = test::golden_settings("run", scratch / "out");
  const WalkDataset dataset = open_dataset(settings.dataset_dir);
  const LlamaConfig config = read_start_config(settings, dataset.vocab.vocab_size);
  settings.optimizer = "muon";
  settings.orthogonalize = Orthogonalization::kPolarExpress;
  settings.orthogonalize_steps = 3;
  settings.momentum = 0.95;
  settings.weight_decay = 0.2;
  settings.adam_beta1 = 0.8;
  settings.adam_beta2 = 0.98;
  settings.group_weight_decays = {0.0, std::nullopt, std::nullopt, 0.3};
  settings.group_adam_beta1 = {std::nullopt, std::nullopt, 0.7, std::nullopt};
  settings.group_adam_beta2 = {0.95, std::nullopt, std::nullopt, std::nullopt};
  const std::vector<ParameterGroup> groups = engine_settings(settings, config, dataset).groups;
  ASSERT_EQ(groups.size(), kTensorKinds);
  const std::array names = {"adamw", "muon", "adamw", "adamw"};
  const std::array decays = {0.0, 0.2, 0.2, 0.3}, beta1 = {0.8, 0.8, 0.7, 0.8}, beta2 = {0.95, 0.98, 0.98, 0.98};
  for (std::size_t kind = 0; kind < kTensorKinds; ++kind) {
    EXPECT_EQ(groups[kind].rule.name, names[kind]) << kind;
    EXPECT_EQ(groups[kind].rule.beta1, beta1[kind]) << kind;
    EXPECT_EQ(groups[kind].rule.beta2, beta2[kind]) << kind;
    EXPECT_EQ(groups[kind].weight_decay, decays[kind]) << kind;
  }
  EXPECT_EQ(groups[1].rule.momentum, 0.95);
  EXPECT_EQ(groups[1].rule.orthogonalization, Orthogonalization::kPolarExpress);
  EXPECT_EQ(groups[1].rule.orthogonalization_steps, 3);
}

class GroupRun : public testing::Test {
 protected:
  void SetUp() override {
    settings.max_steps = 3;
    settings.warmup_steps = 0;
  }

  // Which kinds of weights a run changed.
  std::array<bool, kTensorKinds> moved() {
    test::run(settings);
    const std::vector<float> after = test::weights_of(settings.output_dir / "final_model");
    const LlamaConfig config = read_config(settings.output_dir / "final_model/config.json");
    const ParameterLayout layout(config);
    std::vector<float> before(after.size());
    initialize_parameters(config, layout, settings.seed, before);
    std::array<bool, kTensorKinds> found{};
    for (const ParameterInfo& tensor : layout.tensors()) {
      const auto begin = static_cast<std::ptrdiff_t>(tensor.offset);
      const auto kind = static_cast<std::size_t>(kind_of(layout, tensor));
      if (!std::equal(after.begin() + begin, after.begin() + begin + tensor.size, before.begin() + begin)) {
        found[kind] = true;
      }
    }
    return found;
  }

  test::ScratchFolder scratch;
  TrainingSettings settings = test::golden_settings("run", scratch / "out");
};

TEST_F(GroupRun, AKindWithARateOfZeroStays) {
  for (const char* const optimizer : {"adamw", "sgd", "muon"}) {
    settings.optimizer = optimizer;
    settings.overwrite = true;
    for (std::size_t kind = 0; kind < kTensorKinds; ++kind) {
      settings.group_learning_rates = {};
      settings.group_learning_rates[kind] = 0.0;
      std::array<bool, kTensorKinds> expected = {true, true, true, true};
      expected[kind] = false;
      EXPECT_EQ(moved(), expected) << optimizer << ", " << kTensorKindNames[kind];
    }
  }
}

TEST_F(GroupRun, ARunGoesOnWithOtherRatesOnlyWhenAsked) {
  settings.group_learning_rates[1] = 0.01;
  settings.save_steps = settings.eval_steps = 1;
  test::run(settings, 2);
  settings.group_learning_rates[1] = 0.02;
  const std::string refusal = test::refusal(settings);
  EXPECT_NE(refusal.find("group_learning_rates was \"matrices=0.01\", now \"matrices=0.02\""), std::string::npos)
      << refusal;
  settings.continue_run = true;
  EXPECT_EQ(test::refusal(settings), "accepted");
}

TEST_F(GroupRun, MuonWithoutARateForMatricesIsWarnedOf) {
  settings.optimizer = "muon";
  const auto warned = [&] {
    test::Recorder recorder;
    settings.overwrite = true;
    test::run(settings, recorder);
    return std::ranges::any_of(recorder.notices, [](const std::string& notice) {
      return notice.find("GROUP_LEARNING_RATES=matrices=0.01") != std::string::npos;
    });
  };
  EXPECT_TRUE(warned());
  settings.group_learning_rates[1] = 0.01;
  EXPECT_FALSE(warned());
}

// A block then adds nothing, and o_proj and down_proj move in the first step already.
TEST_F(GroupRun, OutputProjectionsCanStartAtZero) {
  settings.output_projections = OutputProjections::kZero;
  const LlamaConfig config = read_config(settings.config);
  const ParameterLayout layout(config);
  const std::vector<float> zeroed = initial_weights(settings, config, layout);
  settings.output_projections = OutputProjections::kTorch;
  const std::vector<float> drawn = initial_weights(settings, config, layout);
  int outputs = 0;
  for (const ParameterInfo& tensor : layout.tensors()) {
    const bool is_output =
        tensor.name.find(".o_proj.") != std::string::npos || tensor.name.find(".down_proj.") != std::string::npos;
    outputs += is_output ? 1 : 0;
    for (auto i = static_cast<std::size_t>(tensor.offset); i < static_cast<std::size_t>(tensor.offset + tensor.size);
         ++i) {
      ASSERT_EQ(zeroed[i], is_output ? 0.0F : drawn[i]) << tensor.name;
    }
  }
  EXPECT_EQ(outputs, 2 * config.num_hidden_layers);

  settings.output_projections = OutputProjections::kZero;
  EXPECT_EQ(moved(), (std::array{true, true, true, true}));
  settings.init_from = settings.output_dir / "final_model";
  EXPECT_NE(test::refusal(settings).find("OUTPUT_PROJECTIONS"), std::string::npos) << test::refusal(settings);
}

}  // namespace
}  // namespace strider
