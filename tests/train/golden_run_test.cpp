// Whole runs against HF Trainer's: order, losses, learning rates, evaluations, checkpoints, weights; and what an
// interrupted run must give.
#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "golden.h"
#include "io/safetensors.h"
#include "model/folder.h"
#include "train/checkpoint.h"
#include "train/trainer.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Recorder : TrainingObserver {
  std::vector<StepFacts> steps;
  std::vector<std::string> notices;
  TrainingSignals* signals = nullptr;
  std::int64_t stop_after = 0;
  void on_step(const StepFacts& facts) override {
    steps.push_back(facts);
    if (facts.step == stop_after) signals->stop = 15;
  }
  void on_notice(const std::string& text) override { notices.push_back(text); }
};

TrainingSettings golden_settings(const std::string& name, const fs::path& output) {
  const json facts = test::golden_json(name + "/facts.json");
  TrainingSettings settings;
  settings.dataset_dir = test::golden(name) / "dataset";
  settings.config = test::golden(name) / "init/config.json";
  settings.output_dir = output;
  settings.epochs = facts["epochs"];
  settings.batch_size = facts["batch_size"];
  settings.gradient_accumulation_steps = facts["gradient_accumulation_steps"];
  settings.max_length = facts["max_length"];
  settings.eval_steps = facts["eval_steps"];
  settings.save_steps = facts["save_steps"];
  settings.logging_steps = 1;
  settings.loss_denominator = LossDenominator::kLabels;
  settings.threads = 2;
  return settings;
}

std::vector<float> weights_of(const fs::path& folder) {
  const ParameterLayout layout(read_config(folder / "config.json"));
  std::vector<float> values(static_cast<std::size_t>(layout.total()));
  read_weights(folder, layout, values);
  return values;
}

json log_of(const fs::path& output) {
  return json::parse(test::read_text(output / "trainer_state.json"))["log_history"];
}

// Without the entries that tell times, which no two runs share.
json without_times(json log) {
  for (json& entry : log) {
    for (const char* name : {"eval_runtime", "eval_samples_per_second", "eval_steps_per_second", "train_runtime",
                             "train_samples_per_second", "train_steps_per_second"}) {
      entry.erase(name);
    }
  }
  return log;
}

std::vector<std::string> checkpoints_of(const fs::path& output) {
  std::vector<std::string> names;
  for (const CheckpointPlace& place : list_checkpoints(output)) names.push_back(place.folder.filename().string());
  return names;
}

class GoldenRun : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Reference, GoldenRun, testing::Values("run", "run_accumulate"));

TEST_P(GoldenRun, EqualsTrainer) {
  const std::string name = GetParam();
  const test::ScratchFolder scratch;
  const TrainingSettings settings = golden_settings(name, scratch / "out");
  Recorder recorder;
  TrainingSignals signals;
  const TrainingOutcome outcome = train(settings, recorder, signals);
  const json facts = test::golden_json(name + "/facts.json");
  EXPECT_EQ(outcome.best_checkpoint, facts["best_checkpoint"]);
  EXPECT_EQ(checkpoints_of(settings.output_dir), facts["kept_checkpoints"].get<std::vector<std::string>>());

  // A step's loss is the sum of those of its micro-batches.
  const auto micro = test::golden_json(name + "/micro_batch_losses.json").get<std::vector<double>>();
  const std::size_t batches = test::golden_json(name + "/order.json").size() / facts["epochs"].get<std::size_t>();
  const auto accumulate = facts["gradient_accumulation_steps"].get<std::size_t>();
  std::size_t at = 0;
  for (const StepFacts& step : recorder.steps) {
    double expected = 0.0;
    const std::size_t end = std::min((at / batches + 1) * batches, at + accumulate);
    for (; at < end; ++at) expected += micro[at];
    ASSERT_NEAR(step.loss, expected, 1e-4) << "step " << step.step;
  }
  EXPECT_EQ(at, micro.size());

  const json expected_log = test::golden_json(name + "/log_history.json");
  const json log = log_of(settings.output_dir);
  ASSERT_EQ(log.size(), expected_log.size());
  for (std::size_t i = 0; i < log.size(); ++i) {
    const json& ours = log[i];
    const json& theirs = expected_log[i];
    ASSERT_EQ(ours.size(), theirs.size()) << ours << theirs;
    for (const auto& [key, value] : theirs.items()) {
      ASSERT_TRUE(ours.contains(key)) << key;
      if (key == "learning_rate" || key == "epoch" || key == "step" || key == "total_flos") {
        ASSERT_EQ(ours[key], value) << key << " of " << theirs;
      } else if (key == "loss" || key == "eval_loss" || key == "train_loss") {
        ASSERT_NEAR(ours[key], value, 1.01e-4) << key << " of " << theirs;
      } else if (key == "grad_norm") {
        ASSERT_NEAR(ours[key], value, 1e-3 * value.get<double>()) << theirs;
      }
    }
  }

  const std::vector<float> final_weights = weights_of(settings.output_dir / "final_model");
  const std::vector<float> expected_weights = weights_of(test::golden(name) / "final_model");
  for (std::size_t i = 0; i < final_weights.size(); ++i) ASSERT_NEAR(final_weights[i], expected_weights[i], 1e-4) << i;

  // The newest checkpoint's trainer_state.json has the fields of transformers', with the same types.
  const json state = json::parse(
      test::read_text(settings.output_dir / checkpoints_of(settings.output_dir).back() / "trainer_state.json"));
  const json expected_state = test::golden_json(name + "/trainer_state.json");
  for (const auto& [key, value] : expected_state.items()) {
    ASSERT_TRUE(state.contains(key)) << key;
    EXPECT_EQ(state[key].type_name(), std::string(value.type_name())) << key;
    if (key == "log_history" || key == "best_metric" || key == "best_model_checkpoint") continue;
    EXPECT_EQ(state[key], value) << key;
  }
  EXPECT_EQ(state.size(), expected_state.size());
}

TEST_P(GoldenRun, WeightsAfterTheFirstSteps) {
  const std::string name = GetParam();
  for (const std::int64_t steps : {1, 2, 10}) {
    const test::ScratchFolder scratch;
    TrainingSettings settings = golden_settings(name, scratch / "out");
    settings.save_total_limit = 0;
    // The schedule is that of the whole run, so the run is stopped, not shortened.
    Recorder recorder;
    TrainingSignals signals;
    recorder.signals = &signals;
    recorder.stop_after = steps;
    const TrainingOutcome outcome = train(settings, recorder, signals);
    EXPECT_EQ(outcome.stopped_by, 15);
    EXPECT_EQ(outcome.steps, steps);
    const fs::path folder = settings.output_dir / checkpoint_name(steps);
    const ParameterLayout layout(read_config(folder / "config.json"));
    const std::vector<float> ours = weights_of(folder);
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

TEST_P(GoldenRun, StoppedAndGoneOnItIsTheSameRun) {
  const std::string name = GetParam();
  const test::ScratchFolder scratch;
  const TrainingSettings whole = golden_settings(name, scratch / "whole");
  Recorder quiet;
  TrainingSignals signals;
  train(whole, quiet, signals);
  TrainingSettings pieces = golden_settings(name, scratch / "pieces");
  pieces.logging_steps = whole.logging_steps;
  for (const std::int64_t stop : {3, 41, 42, 77, 0}) {
    Recorder recorder;
    TrainingSignals own;
    recorder.signals = &own;
    recorder.stop_after = stop;
    pieces.threads = stop % 2 == 0 ? 1 : 3;  // the number of threads changes nothing
    const TrainingOutcome outcome = train(pieces, recorder, own);
    EXPECT_EQ(outcome.stopped_by, stop == 0 ? 0 : 15);
  }
  EXPECT_EQ(test::read_text(pieces.output_dir / "final_model/model.safetensors"),
            test::read_text(whole.output_dir / "final_model/model.safetensors"));
  EXPECT_EQ(without_times(log_of(pieces.output_dir)), without_times(log_of(whole.output_dir)));

  Recorder again;
  TrainingSignals none;
  EXPECT_TRUE(train(pieces, again, none).already_finished);
  EXPECT_TRUE(again.steps.empty());
}

class InterruptedRun : public testing::Test {
 protected:
  TrainingSettings settings(std::int64_t stop) {
    TrainingSettings made = golden_settings("run", scratch / "out");
    made.eval_steps = made.save_steps = 10;
    if (stop > 0) {
      Recorder recorder;
      TrainingSignals signals;
      recorder.signals = &signals;
      recorder.stop_after = stop;
      train(made, recorder, signals);
    }
    return made;
  }

  static std::string message(const TrainingSettings& settings) {
    try {
      Recorder recorder;
      TrainingSignals signals;
      signals.stop = 15;
      train(settings, recorder, signals);
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  }

  test::ScratchFolder scratch;
};

TEST_F(InterruptedRun, OtherSettingsAreRefusedByName) {
  TrainingSettings other = settings(5);
  other.learning_rate = 1e-3;
  other.batch_size = 4;
  const std::string text = message(other);
  EXPECT_NE(text.find("learning_rate was 0.0005, now 0.001"), std::string::npos) << text;
  EXPECT_NE(text.find("batch_size was 8, now 4"), std::string::npos) << text;
  EXPECT_EQ(text.find("seed"), std::string::npos) << text;
  EXPECT_NE(text.find("OVERWRITE=true"), std::string::npos) << text;
  other.overwrite = true;
  EXPECT_EQ(message(other), "accepted");
}

TEST_F(InterruptedRun, ADamagedCheckpointIsNamedAndPassedOver) {
  const TrainingSettings same = settings(21);
  ASSERT_EQ(checkpoints_of(same.output_dir), (std::vector<std::string>{"checkpoint-20", "checkpoint-21"}));
  const fs::path victim = same.output_dir / "checkpoint-21/model.safetensors";
  std::string bytes = test::read_text(victim);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  std::ofstream(victim, std::ios::binary) << bytes;
  Recorder recorder;
  TrainingSignals signals;
  recorder.signals = &signals;
  recorder.stop_after = 22;
  train(same, recorder, signals);
  ASSERT_EQ(recorder.notices.size(), 1U);
  EXPECT_NE(recorder.notices[0].find("checkpoint-21 is damaged"), std::string::npos) << recorder.notices[0];
  EXPECT_EQ(recorder.steps.front().step, 21);
}

TEST_F(InterruptedRun, CheckpointsOfAnotherProgramStay) {
  TrainingSettings same = settings(0);
  fs::create_directories(same.output_dir / "checkpoint-7");
  for (const bool overwrite : {false, true}) {
    same.overwrite = overwrite;
    EXPECT_NE(message(same).find("checkpoint-7 was not written by Strider"), std::string::npos) << message(same);
    EXPECT_TRUE(fs::exists(same.output_dir / "checkpoint-7"));
  }
}

TEST_F(InterruptedRun, BrokenNumbersStopBeforeTheWeightsAreTouched) {
  TrainingSettings wild = settings(0);
  wild.learning_rate = 1e30;
  wild.warmup_steps = 0;
  wild.max_grad_norm = 0.0;
  const std::string text = message(wild);
  Recorder recorder;
  TrainingSignals signals;
  try {
    train(wild, recorder, signals);
    FAIL() << "a learning rate of 1e30 trained";
  } catch (const Error& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("not a finite number"), std::string::npos) << what;
    EXPECT_NE(what.find("walk_id"), std::string::npos) << what;
  }
}

TEST(TrainerSettings, WhatIsNotAllowedIsNamed) {
  TrainingSettings base;
  const std::pair<void (*)(TrainingSettings&), const char*> cases[] = {
      {[](TrainingSettings& s) { s.epochs = 0; }, "EPOCHS"},
      {[](TrainingSettings& s) { s.batch_size = -5; }, "BATCH_SIZE"},
      {[](TrainingSettings& s) { s.gradient_accumulation_steps = 0; }, "GRAD_ACCUM"},
      {[](TrainingSettings& s) { s.learning_rate = -1e-3; }, "LEARNING_RATE"},
      {[](TrainingSettings& s) { s.learning_rate = std::nan(""); }, "LEARNING_RATE"},
      {[](TrainingSettings& s) { s.max_length = 1; }, "MAX_LENGTH"},
      {[](TrainingSettings& s) { s.save_steps = 0; }, "SAVE_STEPS"},
      {[](TrainingSettings& s) { s.warmup_steps = -1; }, "WARMUP_STEPS"},
      {[](TrainingSettings& s) { s.threads = 0; }, "THREADS"},
      {[](TrainingSettings& s) { s.max_grad_norm = -1.0; }, "MAX_GRAD_NORM"},
  };
  for (const auto& [change, name] : cases) {
    TrainingSettings settings = base;
    change(settings);
    try {
      check_settings(settings);
      ADD_FAILURE() << name << " was accepted";
    } catch (const Error& error) {
      EXPECT_NE(error.message().find(name), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace strider
