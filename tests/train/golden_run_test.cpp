// Whole runs against HF Trainer's: order, losses, learning rates, evaluations, checkpoints, weights.
#include "io/safetensors.h"
#include "runs.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class GoldenRun : public testing::TestWithParam<const char*> {
 protected:
  const std::string name = GetParam();
  const test::ScratchFolder scratch;
  const TrainingSettings settings = test::golden_settings(name, scratch / "out");
  const json facts = test::golden_json(name + "/facts.json");
};
INSTANTIATE_TEST_SUITE_P(Reference, GoldenRun, testing::Values("run", "run_accumulate"));

TEST_P(GoldenRun, TakesTheSameWalksWithTheSameLosses) {
  test::Recorder recorder;
  test::run(settings, recorder);
  const auto order = test::golden_json(name + "/order.json").get<std::vector<std::vector<std::int64_t>>>();
  const auto losses = test::golden_json(name + "/micro_batch_losses.json").get<std::vector<double>>();
  ASSERT_EQ(order.size(), losses.size());
  std::size_t batch = 0;
  for (std::size_t step = 0; step < recorder.steps.size(); ++step) {
    std::vector<std::int64_t> ids;
    double sum = 0.0;
    for (const float loss : recorder.micro_batch_losses[step]) {
      ASSERT_LT(batch, order.size());
      ASSERT_NEAR(loss, losses[batch], 1e-4) << "micro-batch " << batch;
      sum += static_cast<double>(loss);
      ids.insert(ids.end(), order[batch].begin(), order[batch].end());
      ++batch;
    }
    ASSERT_EQ(recorder.walk_ids[step], ids) << "step " << step + 1;
    ASSERT_NEAR(recorder.steps[step].loss, sum, 1e-6);
  }
  EXPECT_EQ(batch, order.size());
}

TEST_P(GoldenRun, WritesTheSameLog) {
  test::run(settings);
  const json expected_log = test::golden_json(name + "/log_history.json");
  const json log = test::log_of(settings.output_dir);
  ASSERT_EQ(log.size(), expected_log.size());
  for (std::size_t i = 0; i < log.size(); ++i) {
    const json& ours = log[i];
    const json& theirs = expected_log[i];
    ASSERT_EQ(ours.size(), theirs.size()) << ours << theirs;
    for (const auto& [key, value] : theirs.items()) {
      ASSERT_TRUE(ours.contains(key)) << key;
      if (key == "learning_rate" || key == "epoch" || key == "step" || key == "total_flos") {
        ASSERT_EQ(ours[key], value) << key << " of " << theirs;
      } else if (key == "loss") {
        ASSERT_NEAR(ours[key], value, 1.01e-4) << theirs;  // both rounded to four decimals
      } else if (key == "eval_loss" || key == "train_loss") {
        ASSERT_NEAR(ours[key], value, 1e-4) << key << " of " << theirs;
      } else if (key == "grad_norm") {
        ASSERT_NEAR(ours[key], value, 1e-3 * value.get<double>()) << theirs;
      } else {
        ASSERT_GT(ours[key].get<double>(), 0.0) << key;  // times and speeds
      }
    }
  }
}

TEST_P(GoldenRun, KeepsTheSameCheckpointsAndTheSameBest) {
  const TrainingOutcome outcome = test::run(settings);
  EXPECT_EQ(outcome.best_checkpoint, facts["best_checkpoint"]);
  EXPECT_EQ(test::checkpoints_of(settings.output_dir), facts["kept_checkpoints"].get<std::vector<std::string>>());
  const std::vector<float> final_weights = test::weights_of(settings.output_dir / "final_model");
  const std::vector<float> expected_weights = test::weights_of(test::golden(name) / "final_model");
  ASSERT_EQ(final_weights.size(), expected_weights.size());
  for (std::size_t i = 0; i < final_weights.size(); ++i) ASSERT_NEAR(final_weights[i], expected_weights[i], 1e-4) << i;

  // The newest checkpoint's trainer_state.json has the fields of transformers', with the same types.
  const std::string newest = test::checkpoints_of(settings.output_dir).back();
  const json state = json::parse(test::read_text(settings.output_dir / newest / "trainer_state.json"));
  const json expected = test::golden_json(name + "/trainer_state.json");
  EXPECT_EQ(state.size(), expected.size());
  for (const auto& [key, value] : expected.items()) {
    ASSERT_TRUE(state.contains(key)) << key;
    EXPECT_EQ(state[key].type_name(), std::string(value.type_name())) << key;
    if (key == "best_metric") {
      EXPECT_NEAR(state[key], value, 1e-4);
    } else if (key == "best_model_checkpoint") {
      EXPECT_EQ(fs::path(state[key].get<std::string>()).filename(), fs::path(value.get<std::string>()).filename());
    } else if (key != "log_history") {
      EXPECT_EQ(state[key], value) << key;
    }
  }
}

TEST_P(GoldenRun, WeightsAfterTheFirstSteps) {
  for (const std::int64_t steps : {1, 2, 10}) {
    TrainingSettings begun = settings;
    begun.output_dir = scratch / std::to_string(steps);
    // The schedule is that of the whole run, so the run is stopped, not shortened.
    const TrainingOutcome outcome = test::run(begun, steps);
    EXPECT_EQ(outcome.stopped_by, SIGTERM);
    EXPECT_EQ(outcome.steps, steps);
    const fs::path folder = begun.output_dir / checkpoint_name(steps);
    const ParameterLayout layout(read_config(folder / "config.json"));
    const std::vector<float> ours = test::weights_of(folder);
    const SafetensorsFile theirs(test::golden(name) / ("weights_step_" + std::to_string(steps) + ".safetensors"));
    for (const ParameterInfo& tensor : layout.tensors()) {
      const TensorEntry* entry = theirs.find(tensor.name);
      ASSERT_NE(entry, nullptr) << tensor.name;
      std::vector<float> expected(static_cast<std::size_t>(tensor.size));
      theirs.read(*entry, expected);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_NEAR(ours[static_cast<std::size_t>(tensor.offset) + i], expected[i], 1e-5)
            << tensor.name << " after " << steps;
      }
    }
  }
}

// The same run under both denominators: the gradient of one is that of the other times labels over predictions.
TEST_P(GoldenRun, PredictionsGiveTheTrueMean) {
  test::Recorder labels, predictions;
  TrainingSettings own = settings;
  own.max_steps = 1;
  test::run(own, labels);
  own.output_dir = scratch / "predictions";
  own.loss_denominator = LossDenominator::kPredictions;
  test::run(own, predictions);
  const StepDone& step = labels.steps.front();
  const auto walks = static_cast<double>(labels.walk_ids.front().size());
  const auto tokens = static_cast<double>(step.tokens);
  EXPECT_NEAR(predictions.steps.front().loss, step.loss * tokens / (tokens - walks), 1e-9);
  EXPECT_EQ(predictions.steps.front().loss, predictions.steps.front().loss_per_prediction);
  EXPECT_EQ(step.loss_per_prediction, predictions.steps.front().loss_per_prediction);
  const double norm = test::log_of(settings.output_dir)[0]["grad_norm"];
  EXPECT_NEAR(test::log_of(own.output_dir)[0]["grad_norm"], norm * tokens / (tokens - walks), 1e-5);
}

}  // namespace
}  // namespace strider
