#pragma once
// How far a training run is and how fast it goes, in one line.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "events/run_events.h"

namespace strider {

/// What the steps since the last log entry came to.
struct StepTotals {
  double tokens = 0.0, flops = 0.0, seconds = 0.0;
  void add(const StepDone& step) {
    tokens += static_cast<double>(step.tokens);
    flops += step.flops;
    seconds += step.seconds;
  }
};

/// What goes on steadily: work done and the seconds it took, of which older ones count less and less.
class SpeedMeter {
 public:
  void add(double tokens, double flops, double steps, double seconds);
  double tokens_per_second() const { return seconds_ > 0.0 ? tokens_ / seconds_ : 0.0; }
  double flops_per_second() const { return seconds_ > 0.0 ? flops_ / seconds_ : 0.0; }
  double seconds_per_step() const { return steps_ > 0.0 ? seconds_ / steps_ : 0.0; }

 private:
  double tokens_ = 0.0, flops_ = 0.0, steps_ = 0.0, seconds_ = 0.0;
};

struct ProgressFigures {
  std::int64_t step = 0, max_steps = 0;
  double loss = 0.0;             // in the run's own denominator
  std::optional<double> excess;  // over the best possible loss, both per predicted token
  double tokens_per_second = 0.0;
  double share_of_peak = 0.0;           // of the machine's float32 arithmetic; with bfloat16 products it may be above 1
  std::string_view peak_name = "peak";  // "float32 peak" where the products are not float32
  double seconds_left = 0.0;
};

/// A line with a bar of no more than `columns` columns; on a narrow window what matters least is left out.
std::string progress_bar(const ProgressFigures& figures, int columns);

/// The same for a file, with what a log is read for.
std::string progress_line(const ProgressFigures& figures, double learning_rate, double grad_norm);

}  // namespace strider
