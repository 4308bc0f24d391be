// AVERAGE_SHARE: which steps are in the mean, what the mean is, and where it goes.
#include "train/weight_average.h"

#include <fmt/format.h>

#include "io/npy.h"
#include "runs.h"
#include "train/memory.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

class Average : public testing::Test {
 protected:
  /// A run whose checkpoints have the weights of every second step.
  Average() {
    settings.max_steps = 30;
    settings.eval_steps = settings.save_steps = 2;
    settings.save_total_limit = 0;
    settings.lr_scheduler = LrScheduler::kConstant;
    settings.average_share = 0.5;
    settings.average_every = 4;
  }

  static fs::path checkpoint_of(const fs::path& output, std::int64_t step) { return output / checkpoint_name(step); }

  /// The mean of the weights of checkpoints, in double.
  std::vector<float> mean_of(const std::vector<std::int64_t>& steps) const {
    std::vector<double> sums;
    for (const std::int64_t step : steps) {
      const std::vector<float> weights = test::weights_of(checkpoint_of(settings.output_dir, step));
      sums.resize(weights.size());
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += static_cast<double>(weights[i]);
    }
    std::vector<float> mean;
    for (const double sum : sums) mean.push_back(static_cast<float>(sum / static_cast<double>(steps.size())));
    return mean;
  }

  static std::set<std::string> names_in(const fs::path& folder) {
    std::set<std::string> names;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }

  static std::vector<float> final_weights(const TrainingSettings& of) {
    return test::weights_of(of.output_dir / "final_model");
  }

  test::ScratchFolder scratch;
  TrainingSettings settings = test::golden_settings("run", scratch / "out");
};

TEST_F(Average, BeginsWithTheLastShareOfTheSteps) {
  settings.average_share = 0.0;
  EXPECT_EQ(average_begin(settings, 100), 100);
  settings.average_share = 0.25;
  EXPECT_EQ(average_begin(settings, 100), 75);
  EXPECT_EQ(average_begin(settings, 10), 7);  // 2.5 rounds to 3
  settings.average_share = 1e-9;
  EXPECT_EQ(average_begin(settings, 100), 99);
  settings.average_share = 1.0;
  EXPECT_EQ(average_begin(settings, 100), 0);
  settings.head_steps = 40;
  EXPECT_EQ(average_begin(settings, 100), 60);
  EXPECT_EQ(average_begin(settings, 50), 25) << "these steps are half of all at most";
  settings.head_steps = 0;
  settings.first_layers = 1;
  settings.first_steps = 30;
  EXPECT_EQ(average_begin(settings, 100), 30) << "other weights learn before";
  settings.first_layers = settings.first_steps = 0;
  settings.head_steps = 40;
  settings.average_share = 0.25;
  EXPECT_EQ(average_begin(settings, 100), 75);
}

TEST_F(Average, IsExactOverManySteps) {
  constexpr std::int64_t kSteps = 100'000;
  const std::vector<float> always = {0.1F, -3.4028235e38F, 1e-45F, 0.0F};
  WeightAverage same(4);
  for (std::int64_t step = 0; step < kSteps; ++step) same.add(always);
  EXPECT_EQ(same.steps(), kSteps);
  EXPECT_EQ(same.mean(), always) << "the mean of equal weights is each of them, to the last bit";

  WeightAverage rising(1);
  long double sum = 0.0L;
  for (std::int64_t step = 0; step < kSteps; ++step) {
    const float weight = 1.0F + 1e-6F * static_cast<float>(step);
    rising.add(std::span(&weight, 1));
    sum += static_cast<long double>(weight);
  }
  EXPECT_EQ(rising.mean().front(), static_cast<float>(sum / static_cast<long double>(kSteps)));
}

TEST_F(Average, IsTheMeanOfTheSampledWeightsAndChangesNoStep) {
  test::Recorder recorder;
  const TrainingOutcome outcome = test::run(settings, recorder);
  EXPECT_EQ(final_weights(settings), mean_of({16, 20, 24, 28, 30}));
  EXPECT_EQ(outcome.averaged_steps, 5);
  EXPECT_EQ(recorder.ended.averaged_steps, 5);
  EXPECT_TRUE(outcome.best_checkpoint.empty());
  const std::string card = test::read_text(settings.output_dir / "final_model/README.md");
  EXPECT_NE(card.find("| weights | the mean of those after 5 of the last steps |"), std::string::npos) << card;

  TrainingSettings without = settings;
  without.average_share = 0.0;
  without.output_dir = scratch / "without";
  test::run(without);
  EXPECT_EQ(test::without_times(test::log_of(settings.output_dir)),
            test::without_times(test::log_of(without.output_dir)));
  for (const std::int64_t step : {16, 30}) {
    for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
      EXPECT_EQ(test::read_text(checkpoint_of(settings.output_dir, step) / file),
                test::read_text(checkpoint_of(without.output_dir, step) / file));
    }
  }
  const TrainingOutcome again = test::run(settings);
  EXPECT_TRUE(again.already_finished);
  EXPECT_EQ(again.averaged_steps, 5);
  EXPECT_EQ(again.final_eval_loss, outcome.final_eval_loss);
}

TEST_F(Average, TheFinalEvaluationIsOfTheMean) {
  settings.eval_steps = settings.save_steps = 20;
  settings.final_evaluation = true;
  struct Evaluations : test::Recorder {
    std::vector<std::int64_t> evaluated;
    void on_evaluation(const Evaluated& event) override { evaluated.push_back(event.step); }
  } recorder;
  const TrainingOutcome outcome = test::run(settings, recorder);
  EXPECT_EQ(recorder.evaluated, std::vector<std::int64_t>{20});

  TrainingSettings same_model = test::golden_settings("run", scratch / "evaluated");
  same_model.init_from = outcome.final_model;
  same_model.learning_rate = 0.0;
  same_model.max_steps = 1;
  EXPECT_EQ(outcome.final_eval_per_prediction, test::run(same_model).final_eval_per_prediction);
}

TEST_F(Average, WinsOverALowerLossWhichIsSaid) {
  settings.average_share = 1.0;  // the first steps are in it, which are far from the best
  test::Recorder recorder;
  const TrainingOutcome outcome = test::run(settings, recorder);
  ASSERT_FALSE(recorder.notices.empty());
  EXPECT_NE(recorder.notices.back().find("has a lower one"), std::string::npos) << recorder.notices.back();
  const test::json state = test::json::parse(test::read_text(settings.output_dir / "trainer_state.json"));
  EXPECT_TRUE(fs::exists(fs::path(state["best_model_checkpoint"].get<std::string>()) / "model.safetensors"));
  EXPECT_GT(outcome.final_eval_loss, state["best_metric"].get<double>());
}

TEST_F(Average, HasTheSameBitsAfterStopsAndForAnyNumberOfThreads) {
  settings.eval_steps = 5;
  settings.save_steps = 10;
  TrainingSettings pieces = settings;
  pieces.output_dir = scratch / "pieces";
  test::run(settings);
  for (const std::int64_t stop : {7, 16, 18, 20, 29, 0}) {
    pieces.threads = stop % 2 == 0 ? 1 : 3;
    test::run(pieces, stop);
  }
  for (const char* file : {"final_model/model.safetensors", "checkpoint-20/weight_sums.npy",
                           "checkpoint-30/weight_sums.npy", "checkpoint-30/model.safetensors"}) {
    EXPECT_EQ(test::read_text(pieces.output_dir / file), test::read_text(settings.output_dir / file)) << file;
  }
  // A run that was killed before its final_model was whole ends again from its last checkpoint.
  const std::vector<float> mean = final_weights(settings);
  fs::remove(settings.output_dir / "strider_run.json");
  fs::remove_all(settings.output_dir / "final_model");
  test::Recorder recorder;
  test::run(settings, recorder);
  EXPECT_TRUE(recorder.steps.empty());
  EXPECT_EQ(final_weights(settings), mean);
}

TEST_F(Average, ItsSumsAreAFileOfTheCheckpointsThatHaveSome) {
  test::run(settings);
  EXPECT_FALSE(fs::exists(checkpoint_of(settings.output_dir, 14) / "weight_sums.npy"));
  const NpyArray<double> sums = read_npy<double>(checkpoint_of(settings.output_dir, 16) / "weight_sums.npy");
  const std::vector<float> weights = test::weights_of(checkpoint_of(settings.output_dir, 16));
  EXPECT_EQ(sums.values, std::vector<double>(weights.begin(), weights.end()));
  std::set<std::string> names = names_in(checkpoint_of(settings.output_dir, 16));
  EXPECT_EQ(names.erase("weight_sums.npy"), 1U);
  TrainingSettings without = settings;
  without.average_share = 0.0;
  without.output_dir = scratch / "without";
  test::run(without);
  EXPECT_EQ(names_in(checkpoint_of(without.output_dir, 16)), names);
  const std::string state = test::read_text(checkpoint_of(without.output_dir, 16) / "strider_state.json");
  EXPECT_EQ(state.find("averaged_steps"), std::string::npos);
}

TEST_F(Average, DamagedSumsAreNoticed) {
  test::run(settings, 20);
  fs::resize_file(checkpoint_of(settings.output_dir, 20) / "weight_sums.npy", 1000);
  test::Recorder recorder;
  test::run(settings, recorder);
  EXPECT_NE(recorder.notices.front().find("weight_sums.npy"), std::string::npos) << recorder.notices.front();
  EXPECT_EQ(recorder.steps.front().step, 19);
  EXPECT_EQ(final_weights(settings), mean_of({16, 20, 24, 28, 30}));
}

// Of all other weights the mean then is what they are, to the last bit: lm_head has learned to read just these.
TEST_F(Average, LeavesWhatTheHeadReadsAsItIs) {
  settings.head_steps = 12;
  test::Recorder recorder;
  test::run(settings, recorder);
  EXPECT_NE(recorder.notices.front().find("lm_head alone"), std::string::npos) << recorder.notices.front();
  const std::vector<float> mean = final_weights(settings);
  EXPECT_EQ(mean, mean_of({20, 24, 28, 30}));
  const std::vector<float> last = test::weights_of(checkpoint_of(settings.output_dir, 30));
  const ParameterLayout layout(read_config(settings.output_dir / "final_model/config.json"));
  for (const ParameterInfo& tensor : layout.tensors()) {
    const bool is_same = std::equal(mean.begin() + tensor.offset, mean.begin() + tensor.offset + tensor.size,
                                    last.begin() + tensor.offset);
    EXPECT_EQ(is_same, tensor.name != "lm_head.weight") << tensor.name;
  }
}

TEST_F(Average, ARunThatATargetEndsHasTheModelThatReachedIt) {
  settings.target_loss = 100.0;
  settings.eval_steps = settings.save_steps = 20;
  test::Recorder recorder;
  const TrainingOutcome outcome = test::run(settings, recorder);
  EXPECT_EQ(outcome.steps, 20);
  EXPECT_EQ(outcome.averaged_steps, 0);
  EXPECT_EQ(outcome.best_checkpoint, "checkpoint-20");
  EXPECT_EQ(final_weights(settings), test::weights_of(checkpoint_of(settings.output_dir, 20)));
  EXPECT_EQ(recorder.notices.back(),
            "TARGET_LOSS has ended the run before its planned end: final_model has the weights with the lowest "
            "evaluation loss, and no mean of AVERAGE_SHARE=0.5");
}

TEST_F(Average, AContinuedRunAveragesItsNewScheduleAlone) {
  test::run(settings);
  settings.max_steps = 50;
  settings.continue_run = true;
  test::run(settings, 44);
  test::run(settings);
  EXPECT_EQ(final_weights(settings), mean_of({44, 48, 50})) << "the last half of the steps from 30 to 50";
}

TEST_F(Average, TheShareMayBeAddedWhenARunIsContinued) {
  TrainingSettings before = settings;
  before.average_share = 0.0;
  test::run(before);
  settings.max_steps = 50;
  EXPECT_NE(test::refusal(settings).find("average_share was 0.0, now 0.5"), std::string::npos);
  settings.continue_run = true;
  EXPECT_EQ(test::run(settings).averaged_steps, 3);
}

TEST_F(Average, TheMinutesOfARunMoveItsWindow) {
  settings.max_steps = 1'000'000;
  settings.save_steps = settings.eval_steps = settings.max_steps;
  settings.max_minutes = 1.0 / 60.0;
  settings.average_every = 1;
  const TrainingOutcome outcome = test::run(settings);
  EXPECT_GT(outcome.averaged_steps, 0);
  EXPECT_LT(outcome.averaged_steps, outcome.steps);
}

TEST_F(Average, ItsMemoryIsCounted) {
  const WalkDataset dataset = open_dataset(settings.dataset_dir);
  LlamaConfig config = read_config(settings.config);
  config.vocab_size = dataset.vocab.vocab_size;
  TrainingSettings without = settings;
  without.average_share = 0.0;
  const auto parameters = static_cast<std::uint64_t>(ParameterLayout(config).total());
  EXPECT_EQ(training_memory_bytes(settings, config, dataset) - training_memory_bytes(without, config, dataset),
            parameters * (8 + 8 + 4));
}

TEST_F(Average, BadValuesAreRefused) {
  for (const double share : {-0.1, 1.5}) {
    settings.average_share = share;
    EXPECT_NE(test::refusal(settings).find("--average_share (AVERAGE_SHARE)"), std::string::npos) << share;
  }
  settings.average_share = 0.5;
  settings.average_every = 0;
  EXPECT_NE(test::refusal(settings).find("--average_every (AVERAGE_EVERY)"), std::string::npos);
  EXPECT_FALSE(fs::exists(settings.output_dir));
}

TEST_F(Average, FewSamplesAreWarnedOf) {
  settings.average_every = 15;
  test::Recorder recorder;
  recorder.stop_after = 1;
  test::run(settings, recorder);
  EXPECT_EQ(recorder.notices,
            std::vector<std::string>{"Warning: AVERAGE_EVERY is 15, and the mean is over the last 15 steps: it has the "
                                     "weights of one or two of them"});
}

}  // namespace
}  // namespace strider
