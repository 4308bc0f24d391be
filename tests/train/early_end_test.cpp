// Runs that an evaluation ends before their last planned step.
#include "train/early_end.h"

#include <fmt/format.h>

#include "runs.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

class EarlyEndTest : public testing::Test {
 protected:
  EarlyEndTest() {
    settings.eval_steps = settings.save_steps = 10;
    settings.max_steps = 40;
    settings.warmup_steps = 5;
    settings.save_total_limit = 0;
  }

  /// Losses per predicted token of the evaluations of a whole run.
  std::vector<double> evaluation_losses() {
    struct Evaluations : test::Recorder {
      std::vector<double> losses;
      void on_evaluation(const Evaluated& event) override { losses.push_back(event.loss_per_prediction); }
    } recorder;
    TrainingSettings whole = settings;
    whole.output_dir = scratch / "whole";
    test::run(whole, recorder);
    return recorder.losses;
  }

  test::ScratchFolder scratch;
  TrainingSettings settings = test::golden_settings("run", scratch / "out");
};

TEST_F(EarlyEndTest, ATargetEndsTheRunWithTheModelThatReachedIt) {
  const std::vector<double> losses = evaluation_losses();
  ASSERT_EQ(losses.size(), 4U);
  ASSERT_GT(losses[0], losses[1]);
  settings.target_loss = losses[1];
  test::Recorder recorder;
  const TrainingOutcome outcome = test::run(settings, recorder);
  EXPECT_EQ(outcome.steps, 20);
  EXPECT_EQ(outcome.final_eval_per_prediction, losses[1]);
  EXPECT_EQ(recorder.notices, std::vector<std::string>{fmt::format(
                                  "TARGET_LOSS={} is reached after step 20: the run ends here", losses[1])});
  EXPECT_EQ(test::weights_of(outcome.final_model), test::weights_of(settings.output_dir / "checkpoint-20"));
  EXPECT_EQ(test::weights_of(outcome.final_model), test::weights_of(scratch / "whole/checkpoint-20"))
      << "up to there it is the same run";
  EXPECT_TRUE(test::run(settings).already_finished);
}

TEST_F(EarlyEndTest, AKillBeforeTheFinalModelChangesNothing) {
  settings.target_loss = evaluation_losses()[1];
  const std::vector<float> weights = test::weights_of(test::run(settings).final_model);
  fs::remove(settings.output_dir / "strider_run.json");
  fs::remove_all(settings.output_dir / "final_model");
  test::Recorder recorder;
  const TrainingOutcome outcome = test::run(settings, recorder);
  EXPECT_TRUE(recorder.steps.empty()) << "the checkpoint says that the run has ended";
  EXPECT_EQ(outcome.steps, 20);
  EXPECT_EQ(test::weights_of(outcome.final_model), weights);
}

TEST_F(EarlyEndTest, ContinueGoesOnToALowerTarget) {
  settings.target_loss = evaluation_losses()[1];
  test::run(settings);
  settings.target_loss = 0.0;
  EXPECT_NE(test::refusal(settings).find("CONTINUE=true"), std::string::npos);
  settings.continue_run = true;
  test::Recorder recorder;
  EXPECT_EQ(test::run(settings, recorder).steps, 40);
  EXPECT_EQ(recorder.steps.front().step, 21);
}

TEST_F(EarlyEndTest, PatienceCountsEvaluationsWithoutALowerLoss) {
  settings.learning_rate = 0.0;  // the first evaluation stays the best one
  settings.patience = 2;
  test::Recorder recorder;
  test::run(settings, 13);
  const TrainingOutcome outcome = test::run(settings, recorder);
  EXPECT_EQ(outcome.steps, 30);
  EXPECT_EQ(outcome.best_checkpoint, "checkpoint-10");
  settings.output_dir = scratch / "falling";
  settings.learning_rate = 5e-4;
  EXPECT_EQ(test::run(settings).steps, 40);
}

TEST_F(EarlyEndTest, MinutesEndTheRunAndItsSchedule) {
  settings.max_steps = 1'000'000;
  settings.save_steps = settings.eval_steps = settings.max_steps;
  settings.warmup_steps = 1;
  settings.max_minutes = 1.0 / 60.0;
  test::Recorder recorder;
  const TrainingOutcome outcome = test::run(settings, recorder);
  EXPECT_GT(outcome.steps, 1);
  EXPECT_LT(outcome.steps, settings.max_steps);
  EXPECT_EQ(recorder.steps.back().last_step, outcome.steps);
  EXPECT_LT(recorder.logs.back().learning_rate, 0.5 * settings.learning_rate) << "it has come down the schedule";
  EXPECT_EQ(test::checkpoints_of(settings.output_dir),
            std::vector<std::string>{fmt::format("checkpoint-{}", outcome.steps)});
  const nlohmann::json state = nlohmann::json::parse(test::read_text(settings.output_dir / "trainer_state.json"));
  EXPECT_EQ(state["max_steps"], outcome.steps);
  EXPECT_TRUE(state["stateful_callbacks"]["TrainerControl"]["args"]["should_training_stop"]);
  const nlohmann::json& end = state["log_history"].back();
  const double steps = end["train_steps_per_second"].get<double>() * end["train_runtime"].get<double>();
  EXPECT_NEAR(steps, static_cast<double>(outcome.steps), 1.0);
  EXPECT_TRUE(test::run(settings).already_finished);
}

TEST_F(EarlyEndTest, AnExcessIsOverTheBestPossibleLoss) {
  settings.target_excess = 0.1;
  TrainerState state;
  state.global_step = 10;
  const Evaluation evaluation{.loss_per_prediction = 1.80};
  EXPECT_TRUE(early_end(settings, 1.71, state, evaluation));
  EXPECT_FALSE(early_end(settings, 1.69, state, evaluation));
  EXPECT_FALSE(early_end(settings, std::nullopt, state, evaluation));
}

TEST_F(EarlyEndTest, WhatTheDatasetCannotTellIsRefused) {
  settings.target_excess = 0.1;
  EXPECT_NE(test::refusal(settings).find("best possible loss of these walks is not known"), std::string::npos);
  EXPECT_NO_THROW(check_early_end(settings, true, 1.7));
  settings.target_excess = 0.0;
  settings.patience = 1;
  EXPECT_THROW(check_early_end(settings, false, std::nullopt), Error);
  EXPECT_FALSE(fs::exists(settings.output_dir)) << "nothing is written by a run that is refused";
}

}  // namespace
}  // namespace strider
