// PRECISION: runs in bfloat16 come to the same place, are as safe to stop, and are never mixed with others.
#include "engine/groups.h"
#include "engine/precision_trial.h"
#include "train/runs.h"

namespace strider {
namespace {

class PrecisionOfARun : public testing::Test {
 protected:
  TrainingSettings settings(const std::string& name, std::optional<Precision> precision) const {
    TrainingSettings made = test::golden_settings("run", folder.path() / name);
    made.precision = precision;
    return made;
  }

  // A run in bfloat16 that is stopped and goes on as `later` asks.
  void expect_the_same_run_after_a_stop(std::optional<Precision> later) const {
    test::run(settings("whole", Precision::kBfloat16));
    test::run(settings("stopped", Precision::kBfloat16), 13);
    test::run(settings("stopped", later));
    EXPECT_EQ(test::weights_of(folder.path() / "stopped/final_model"),
              test::weights_of(folder.path() / "whole/final_model"));
  }

  test::ScratchFolder folder;
};

TEST_F(PrecisionOfARun, Bfloat16LearnsAsFloat32Does) {
  const TrainingOutcome exact = test::run(settings("exact", Precision::kFloat32));
  const TrainingOutcome rounded = test::run(settings("rounded", Precision::kBfloat16));
  EXPECT_NEAR(*rounded.final_eval_loss, *exact.final_eval_loss, 0.01);
  EXPECT_NE(*rounded.final_eval_loss, *exact.final_eval_loss);
}

TEST_F(PrecisionOfARun, AStoppedBfloat16RunIsTheSameRun) {
  expect_the_same_run_after_a_stop(Precision::kBfloat16);
}

TEST_F(PrecisionOfARun, AutoGoesOnAsTheRunBegan) {
  expect_the_same_run_after_a_stop(std::nullopt);
  EXPECT_TRUE(test::run(settings("stopped", std::nullopt)).already_finished);
}

TEST_F(PrecisionOfARun, AnotherPrecisionIsAnotherRun) {
  test::run(settings("stopped", Precision::kBfloat16), 13);
  EXPECT_NE(test::refusal(settings("stopped", Precision::kFloat32)).find("precision was \"bfloat16\", now \"float32\""),
            std::string::npos);
}

TEST_F(PrecisionOfARun, AutoSaysWhatItTook) {
  test::Recorder recorder;
  recorder.stop_after = 1;
  test::run(settings("auto", std::nullopt), recorder);
  ASSERT_FALSE(recorder.notices.empty());
  EXPECT_EQ(recorder.notices.front().rfind("PRECISION=auto: ", 0), 0U) << recorder.notices.front();
  const bool took_bfloat16 = recorder.notices.front().find("bfloat16,") != std::string::npos;
  const TrainingSettings same = settings("auto", took_bfloat16 ? Precision::kBfloat16 : Precision::kFloat32);
  EXPECT_EQ(test::refusal(same), "accepted");
}

TEST(PrecisionTrial, OnlyTriesWhatTheProcessorHas) {
  const LlamaConfig config = read_config(test::golden("gradients") / "config.json");
  const ParameterLayout layout(config);
  const std::vector<float> parameters(static_cast<std::size_t>(layout.total()), 0.01F);
  const PrecisionTrial trial =
      try_precisions(config, {.threads = 1, .max_length = 16, .groups = test::all_alike(layout)}, parameters);
  EXPECT_GE(trial.ratio, 1.0);
  if (!has_bfloat16_products()) {
    EXPECT_EQ(trial.faster, Precision::kFloat32);
    EXPECT_EQ(trial.ratio, 1.0);
  }
}

}  // namespace
}  // namespace strider
