#pragma once
// A training run on screen: a summary before it, its progress, its evaluations and checkpoints, and where things are
// after it.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "events/run_events.h"
#include "report/progress.h"
#include "report/screen.h"

namespace strider {

class TrainingReport : public RunListener {
 public:
  /// `now` is the clock that decides when the status line is drawn again.
  explicit TrainingReport(Screen& screen, std::function<Clock::time_point()> now = Clock::now)
      : screen_(screen), now_(std::move(now)) {}

  void on_start(const RunStarted& event) override;
  void on_step(const StepDone& event) override;
  void on_geometry(const GeometryMeasured& event) override;
  void on_log(const Logged& event) override;
  void on_evaluation(const Evaluated& event) override;
  void on_checkpoint(const CheckpointWritten& event) override;
  void on_notice(const std::string& text) override;
  void on_end(const RunEnded& event) override;

 private:
  ProgressFigures figures(double loss, std::optional<double> loss_per_prediction) const;
  double seconds_left() const;
  std::optional<double> excess(std::optional<double> loss_per_prediction) const;

  Screen& screen_;
  std::function<Clock::time_point()> now_;
  RunStarted run_;
  SpeedMeter speed_;
  std::int64_t step_ = 0;
  double evaluation_seconds_ = 0.0;  // of the last one
};

}  // namespace strider
