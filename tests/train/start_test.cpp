// What a run refuses before it begins, and data at the edges of what can be trained on.
#include <cmath>
#include <limits>

#include "data/dataset_writer.h"
#include "data/walks_csv.h"
#include "runs.h"
#include "train/evaluation.h"
#include "train/memory.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

class Start : public testing::Test {
 protected:
  void expect_refusal(const std::vector<std::string>& words) {
    const std::string text = test::refusal(settings);
    for (const std::string& word : words) EXPECT_NE(text.find(word), std::string::npos) << word << ": " << text;
    EXPECT_FALSE(fs::exists(settings.output_dir));
  }
  fs::path dataset_of(const std::string& rows, std::int64_t train_rows) {
    const WalksCsv walks(scratch.write("walks.csv", "walk_id,length,sequence_labels\r\n" + rows));
    std::vector<std::int64_t> train, validation;
    for (std::int64_t row = 0; row < walks.size(); ++row) (row < train_rows ? train : validation).push_back(row);
    const SplitToWrite splits[] = {{"train", train}, {"validation", validation}};
    write_dataset(scratch / "dataset", walks, std::span(splits, validation.empty() ? 1 : 2), {});
    return scratch / "dataset";
  }
  test::ScratchFolder scratch;
  TrainingSettings settings = test::golden_settings("run", scratch / "out");
};

TEST_F(Start, MissingInputsNameTheCommandThatMakesThem) {
  settings.config = scratch / "no.json";
  expect_refusal({"Model configuration", "no.json not found", "CONFIG"});
  settings.dataset_dir = scratch / "none";
  expect_refusal({"Dataset directory", "not found", "01c_dataset_preparation.sh"});
}

TEST_F(Start, SaveStepsFollowEvalSteps) {
  settings.save_steps = 50;
  expect_refusal({"SAVE_STEPS", "50", "EVAL_STEPS", "40"});
}

TEST_F(Start, InitFromMustBeThatModel) {
  settings.init_from = scratch / "none";
  expect_refusal({"INIT_FROM", "no model folder"});
  const fs::path model = scratch / "model";
  fs::copy(test::golden("run") / "init", model, fs::copy_options::recursive);
  settings.init_from = model;
  std::string config = test::read_text(model / "config.json");
  config.replace(config.find("10000.0"), 7, "20000.0");
  scratch.write("model/config.json", config);
  expect_refusal({"rope_theta", "20000", "10000", "INIT_FROM"});
}

TEST_F(Start, InitFromGivesTheWeights) {
  TrainingSettings drawn = settings, given = settings;
  drawn.max_steps = given.max_steps = 3;
  given.output_dir = scratch / "given";
  given.seed = 42;
  given.init_from = test::golden("run") / "init";  // what seed 42 draws, within 1e-6
  test::Recorder first, second;
  test::run(drawn, first);
  test::run(given, second);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(first.steps[i].loss, second.steps[i].loss, 1e-5);
}

TEST_F(Start, AnUnwritableFolderIsRefusedBeforeTheFirstStep) {
  settings.output_dir = scratch.write("file", "") / "out";
  test::Recorder recorder;
  EXPECT_THROW(test::run(settings, recorder), Error);
  EXPECT_TRUE(recorder.steps.empty());
}

TEST_F(Start, TooLittleMemoryNamesWhatWouldFit) {
  const WalkDataset dataset = open_dataset(settings.dataset_dir);
  const LlamaConfig config = read_config(settings.config, 48);
  settings.threads = 8;
  settings.max_length = 4096;
  TrainingSettings fewer = settings;
  fewer.threads = 3;
  const auto advice = [&](std::uint64_t bytes) -> std::string {
    try {
      check_training_memory(settings, config, dataset, bytes);
    } catch (const Error& error) {
      return error.what();
    }
    return "fits";
  };
  EXPECT_EQ(advice(training_memory_bytes(settings, config, dataset)), "fits");
  EXPECT_NE(advice(training_memory_bytes(fewer, config, dataset)).find("THREADS=3."), std::string::npos);
  fewer.threads = 1;
  fewer.max_length = 512;
  EXPECT_NE(advice(training_memory_bytes(fewer, config, dataset)).find("THREADS=1 and MAX_LENGTH=512"),
            std::string::npos);
  EXPECT_NE(advice(1000).find("a smaller model"), std::string::npos);
}

TEST_F(Start, WalksOfOneTokenAreWalksWithoutALoss) {
  settings.dataset_dir = dataset_of("0,1,3\r\n1,1,2\r\n2,1,5\r\n3,4,1 2 3 4\r\n4,1,0\r\n5,3,4 5 4\r\n", 5);
  settings.batch_size = 2;
  settings.epochs = 3;
  settings.eval_steps = 1;
  settings.save_steps = 9;
  for (const LossDenominator denominator : {LossDenominator::kLabels, LossDenominator::kPredictions}) {
    settings.loss_denominator = denominator;
    settings.output_dir = scratch / name_of(denominator);
    test::Recorder recorder;
    test::run(settings, recorder);
    ASSERT_EQ(recorder.steps.size(), 9U);
    bool empty_step = false;
    for (std::size_t i = 0; i < recorder.steps.size(); ++i) {
      const StepDone& step = recorder.steps[i];
      EXPECT_TRUE(std::isfinite(step.loss));
      const auto& ids = recorder.walk_ids[i];
      const bool predicts = std::find(ids.begin(), ids.end(), 3) != ids.end();
      EXPECT_EQ(step.loss > 0.0, predicts) << i;
      empty_step = empty_step || !predicts;
      EXPECT_EQ(step.tokens, static_cast<std::int64_t>(ids.size()) + (predicts ? 3 : 0));
    }
    EXPECT_TRUE(empty_step);
  }
}

TEST_F(Start, WithoutValidationTheLastWeightsAreFinal) {
  settings.dataset_dir = dataset_of("0,5,0 1 2 3 4\r\n1,4,4 3 2 1\r\n2,3,1 0 1\r\n", 3);
  settings.batch_size = 1;
  settings.save_steps = 2;
  const TrainingOutcome outcome = test::run(settings);
  EXPECT_TRUE(outcome.best_checkpoint.empty());
  EXPECT_FALSE(outcome.final_eval_loss.has_value());
  EXPECT_EQ(test::read_text(settings.output_dir / "final_model/model.safetensors"),
            test::read_text(settings.output_dir / "checkpoint-3/model.safetensors"));
}

TEST_F(Start, HugeBatchesTakeNoMoreMemoryThanThereAreWalks) {
  settings.batch_size = 1'000'000'000;
  settings.gradient_accumulation_steps = 1'000'000'000;
  settings.max_steps = 2;
  test::Recorder recorder;
  test::run(settings, recorder);
  EXPECT_EQ(recorder.walk_ids.front().size(), 1140U);
}

TEST_F(Start, BrokenNumbersStopBeforeTheWeightsAreTouched) {
  settings.learning_rate = 1e30;
  settings.warmup_steps = 0;
  settings.max_grad_norm = 0.0;
  settings.eval_steps = settings.save_steps = 1000;
  const std::string text = [&] {
    try {
      test::run(settings);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  }();
  EXPECT_NE(text.find("not a finite number"), std::string::npos) << text;
  EXPECT_NE(text.find("walk_id"), std::string::npos) << text;
  EXPECT_NE(text.find("No checkpoint was written yet"), std::string::npos) << text;
  EXPECT_TRUE(test::checkpoints_of(settings.output_dir).empty());
}

TEST(Settings, WhatIsNotAllowedIsNamed) {
  const std::pair<void (*)(TrainingSettings&), const char*> cases[] = {
      {[](TrainingSettings& s) { s.epochs = 0; }, "EPOCHS"},
      {[](TrainingSettings& s) { s.batch_size = -5; }, "BATCH_SIZE"},
      {[](TrainingSettings& s) { s.gradient_accumulation_steps = 0; }, "GRAD_ACCUM"},
      {[](TrainingSettings& s) { s.learning_rate = -1e-3; }, "LEARNING_RATE"},
      {[](TrainingSettings& s) { s.learning_rate = std::numeric_limits<double>::quiet_NaN(); }, "LEARNING_RATE"},
      {[](TrainingSettings& s) { s.max_length = 1; }, "MAX_LENGTH"},
      {[](TrainingSettings& s) { s.save_steps = 0; }, "SAVE_STEPS"},
      {[](TrainingSettings& s) { s.eval_steps = 0; }, "EVAL_STEPS"},
      {[](TrainingSettings& s) { s.logging_steps = 0; }, "LOGGING_STEPS"},
      {[](TrainingSettings& s) { s.max_steps = -2; }, "MAX_STEPS"},
      {[](TrainingSettings& s) { s.warmup_steps = -1; }, "WARMUP_STEPS"},
      {[](TrainingSettings& s) { s.weight_decay = -0.1; }, "WEIGHT_DECAY"},
      {[](TrainingSettings& s) { s.max_grad_norm = -1.0; }, "MAX_GRAD_NORM"},
      {[](TrainingSettings& s) { s.save_total_limit = -1; }, "SAVE_TOTAL_LIMIT"},
      {[](TrainingSettings& s) { s.threads = 0; }, "THREADS"},
  };
  EXPECT_NO_THROW(check_settings({}));
  for (const auto& [change, name] : cases) {
    TrainingSettings settings;
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
