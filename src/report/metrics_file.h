#pragma once
// metrics.jsonl: a line per event, each a JSON object, written as it happens, so that other programs can follow a run:
//   {"event": "run", "step": 0, "output_dir", "config", "dataset_dir", "max_steps", "steps_per_epoch",
//   "walks_per_step",
//    "parameters", "vocab_size", "precision", "loss_denominator", "processor", "vectors", "threads", "strider",
//    "best_loss"}
//   {"event": "log", "step", "epoch", "loss", "loss_per_prediction", "grad_norm", "learning_rate", "tokens",
//    "tokens_per_second", "time"}
//   {"event": "evaluation", "step", "epoch", "eval_loss", "eval_loss_per_prediction", "seconds", "time"}
//   {"event": "geometry", "step", "arrays": {array: {measure: value}}, "seconds", "time"}, where GEOMETRY_STEPS
//    asks for it: the measures of strider measure, by array of representations
//   {"event": "end", "step", "eval_loss", "eval_loss_per_prediction", "best_checkpoint", "averaged_steps", "seconds",
//   "time"}
// `time` is seconds since 1970; losses are in nats; what is not known is absent. A run that goes on cuts the file back
// to its checkpoint first, so that the file of a resumed run is that of one that never stopped, but for what the clock
// decides: time, seconds and tokens_per_second.
#include <cstdint>
#include <filesystem>
#include <string>

#include "events/run_events.h"
#include "report/progress.h"

namespace strider {

class MetricsFile : public RunListener {
 public:
  /// In `folder`, which is made where it is missing. Throws Error when it cannot be written, or when a file of that
  /// name is not Strider's or belongs to a run in another output folder.
  explicit MetricsFile(const std::filesystem::path& folder) : file_(folder / "metrics.jsonl") {}
  ~MetricsFile() override;
  MetricsFile(const MetricsFile&) = delete;
  MetricsFile& operator=(const MetricsFile&) = delete;

  void check(const std::string& output_dir) override;
  void on_start(const RunStarted& event) override;
  void on_step(const StepDone& event) override;
  void on_geometry(const GeometryMeasured& event) override;
  void on_log(const Logged& event) override;
  void on_evaluation(const Evaluated& event) override;
  void on_end(const RunEnded& event) override;

 private:
  std::string kept_lines(const RunStarted& event) const;
  void append(const std::string& line);

  std::filesystem::path file_;
  int descriptor_ = -1;  // open from the first event on
  StepTotals since_log_;
};

}  // namespace strider
