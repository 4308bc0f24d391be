// Where a run says that its time went.
#include "train/wall_time.h"

#include "runs.h"

namespace strider {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

struct SlowObserver : test::Recorder {
  double in_steps = 0.0, in_logs = 0.0;
  void on_step(const StepDone& facts) override {
    test::Recorder::on_step(facts);
    in_steps += facts.seconds;
  }
  void on_log(const Logged&) override {
    const Clock::time_point began = Clock::now();
    while (seconds_since(began) < 0.005) continue;
    in_logs += seconds_since(began);
  }
};

TEST(WallTime, EveryPartHasItsOwn) {
  const test::ScratchFolder scratch;
  TrainingSettings settings = test::golden_settings("run", scratch / "out");
  settings.max_steps = 20;
  settings.eval_steps = settings.save_steps = 10;
  SlowObserver observer;
  const Clock::time_point began = Clock::now();
  test::run(settings, observer);
  const double whole = seconds_since(began);
  WallTime time;
  double* const parts[] = {&time.steps, &time.evaluation, &time.checkpoints, &time.logging};
  ASSERT_EQ(observer.ended.wall_seconds.size(), std::size(parts));
  for (std::size_t i = 0; i < std::size(parts); ++i) *parts[i] = observer.ended.wall_seconds[i].second;
  EXPECT_LE(time.total(), whole);
  EXPECT_GE(time.logging, observer.in_logs);
  EXPECT_GT(time.steps, 0.9 * observer.in_steps);
  EXPECT_LT(time.steps, whole - observer.in_logs);
  double evaluations = 0.0;
  for (const test::json& entry : test::log_of(settings.output_dir)) {
    if (entry.contains("eval_runtime")) evaluations += entry["eval_runtime"].get<double>();
  }
  EXPECT_GT(evaluations, 0.0);
  EXPECT_GE(time.evaluation, evaluations - 1e-3);  // the log rounds
  EXPECT_GT(time.checkpoints, 0.0);
}

}  // namespace
}  // namespace strider
