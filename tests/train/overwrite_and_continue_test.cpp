// What OVERWRITE and CONTINUE do with the run that is in the output folder, and passes over the walks that end early.
#include "runs.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

class EarlierRunTest : public testing::Test {
 protected:
  TrainingSettings settings_in(const fs::path& output) const {
    TrainingSettings made = test::golden_settings("run", output);
    made.eval_steps = made.save_steps = 10;
    made.max_steps = 40;
    return made;
  }

  /// The first step that a call makes; 0: none. Stops after it unless the run comes to its end.
  std::int64_t first_step_of(const TrainingSettings& asked) {
    struct StopsAtOnce : test::Recorder {
      void on_step(const StepDone& facts) override {
        Recorder::on_step(facts);
        signals.stop = SIGTERM;
      }
    } observer;
    test::run(asked, observer);
    notices = observer.notices;
    return observer.steps.empty() ? 0 : observer.steps.front().step;
  }

  bool noticed(const std::string& words) const {
    return std::any_of(notices.begin(), notices.end(),
                       [&](const std::string& notice) { return notice.find(words) != std::string::npos; });
  }

  test::ScratchFolder scratch;
  TrainingSettings settings = settings_in(scratch / "out");
  std::vector<std::string> notices;
};

TEST_F(EarlierRunTest, OverwriteGoesOnWithAnInterruptedRunOfTheSameSettings) {
  settings.overwrite = true;
  test::run(settings, 13);
  EXPECT_EQ(first_step_of(settings), 14);
  EXPECT_TRUE(noticed("goes on from checkpoint-13")) << notices.size();
  settings.resume = false;
  EXPECT_EQ(first_step_of(settings), 1);
}

TEST_F(EarlierRunTest, OverwriteReplacesAFinishedRun) {
  test::run(settings);
  EXPECT_EQ(first_step_of(settings), 0);
  settings.overwrite = true;
  EXPECT_EQ(first_step_of(settings), 1);
  EXPECT_TRUE(noticed("replaces the finished run"));
  EXPECT_EQ(first_step_of(settings), 2) << "the new one was interrupted, and goes on";
}

TEST_F(EarlierRunTest, OverwriteReplacesOtherSettings) {
  test::run(settings, 13);
  settings.seed = 7;
  settings.overwrite = true;
  EXPECT_EQ(first_step_of(settings), 1);
  EXPECT_TRUE(noticed("seed was 42, now 7"));
}

TEST_F(EarlierRunTest, OverwriteReplacesWhatIsDamaged) {
  test::run(settings, 13);
  for (const std::string& name : test::checkpoints_of(settings.output_dir)) {
    std::ofstream(settings.output_dir / name / "strider_state.json") << "{";
  }
  EXPECT_NE(test::refusal(settings).find("OVERWRITE=true"), std::string::npos);
  settings.overwrite = true;
  EXPECT_EQ(first_step_of(settings), 1);
}

TEST_F(EarlierRunTest, HowOftenItLogsMayChange) {
  test::run(settings, 13);
  settings.logging_steps = 4;
  EXPECT_EQ(first_step_of(settings), 14);
}

class ContinuedRun : public EarlierRunTest {
 protected:
  TrainingSettings longer(TrainingSettings made) const {
    made.max_steps = 70;
    made.learning_rate = 1e-3;
    made.warmup_steps = 5;
    made.continue_run = true;
    return made;
  }

  std::vector<double> rates(const fs::path& output) const {
    std::vector<double> all;
    for (const test::json& entry : test::log_of(output)) {
      if (entry.contains("learning_rate")) all.push_back(entry["learning_rate"]);
    }
    return all;
  }
};

TEST_F(ContinuedRun, TheRefusalShowsTheWays) {
  test::run(settings);
  TrainingSettings other = settings;
  other.epochs = 2;
  other.max_steps = 0;
  const std::string text = test::refusal(other);
  for (const char* words : {"epochs was 1, now 2", "CONTINUE=true", "OUTPUT_DIR with INIT_FROM=", "OVERWRITE=true"}) {
    EXPECT_NE(text.find(words), std::string::npos) << words << "\n" << text;
  }
  other.seed = 7;
  EXPECT_EQ(test::refusal(other).find("CONTINUE"), std::string::npos) << test::refusal(other);
  other.continue_run = true;
  EXPECT_NE(test::refusal(other).find("seed was 42, now 7"), std::string::npos) << test::refusal(other);
  EXPECT_TRUE(fs::exists(settings.output_dir / "final_model/model.safetensors"));
}

// The steps from there on are those that a schedule of 30 steps makes of the optimizer's state and the walks that
// follow.
TEST_F(ContinuedRun, BeginsANewScheduleAtTheLastCheckpoint) {
  test::run(settings);
  const std::vector<double> before = rates(settings.output_dir);
  EXPECT_EQ(first_step_of(longer(settings)), 41);
  EXPECT_TRUE(noticed("max_steps was 40, now 70")) << notices.size();
  test::run(longer(settings));
  const std::vector<double> all = rates(settings.output_dir);
  ASSERT_EQ(all.size(), 70U);
  EXPECT_TRUE(std::equal(before.begin(), before.end(), all.begin()));
  for (std::int64_t step = 40; step < 70; ++step) {
    EXPECT_EQ(all[static_cast<std::size_t>(step)], learning_rate_at(longer(settings), 30, step - 40)) << step;
  }
  EXPECT_EQ(first_step_of(longer(settings)), 0) << "it is finished, and stays so";
}

TEST_F(ContinuedRun, HasTheSameBitsHoweverOftenItIsInterrupted) {
  const TrainingSettings whole = settings_in(scratch / "whole");
  test::run(whole);
  test::run(longer(whole));
  test::run(settings);
  for (const std::int64_t stop : {41, 43, 50, 66}) test::run(longer(settings), stop);
  test::run(longer(settings));
  EXPECT_EQ(test::without_times(test::log_of(settings.output_dir)),
            test::without_times(test::log_of(whole.output_dir)));
  EXPECT_EQ(test::checkpoints_of(settings.output_dir), test::checkpoints_of(whole.output_dir));
  EXPECT_EQ(test::read_text(settings.output_dir / "final_model/model.safetensors"),
            test::read_text(whole.output_dir / "final_model/model.safetensors"));
}

TEST_F(ContinuedRun, NeedsStepsToMake) {
  test::run(settings);
  TrainingSettings shorter = longer(settings);
  shorter.max_steps = 40;
  const std::string text = test::refusal(shorter);
  EXPECT_NE(text.find("nothing is left to do: 40 steps are done"), std::string::npos) << text;
  shorter.overwrite = true;
  EXPECT_NE(test::refusal(shorter).find("CONTINUE"), std::string::npos);
}

TEST(FractionalEpochs, EndWithinAnEpochAsInTrainer) {
  TrainingSettings settings;
  settings.batch_size = 10;
  settings.epochs = 0.5;
  EXPECT_EQ(plan_steps(95, settings).max_steps, 5);  // ceil(0.5 * 10)
  EXPECT_EQ(plan_steps(95, settings).epochs, 1);
  settings.epochs = 1.25;
  EXPECT_EQ(plan_steps(95, settings).max_steps, 13);  // ceil(12.5)
  EXPECT_EQ(plan_steps(95, settings).epochs, 2);
}

}  // namespace
}  // namespace strider
