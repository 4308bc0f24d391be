#include "report/tensorboard_events.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "io/file_steps.h"
#include "io/record_file.h"
#include "report/histogram.h"
#include "report/progress.h"

#if STRIDER_HAS_PROTOBUF
#include "report/event.pb.h"
#endif

namespace strider {

#if STRIDER_HAS_PROTOBUF
namespace {

namespace fs = std::filesystem;
using tensorboard::Event;
using tensorboard::SessionLog;

constexpr std::string_view kPrefix = "events.out.tfevents.";  // TensorBoard knows event files by it
constexpr std::string_view kSuffix = ".strider";
constexpr const char* kEvalLoss = "eval/loss";

// Of any program, in the order of their names, in which TensorBoard reads them.
std::vector<std::string> event_files(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code missing;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, missing)) {
    std::string name = entry.path().filename().string();
    if (name.starts_with(kPrefix)) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

// Its seconds are later than those of every file that exists, so that TensorBoard reads it last, also after two
// sittings within a second or when the clock was set back.
std::string new_file_name(const std::vector<std::string>& existing) {
  auto seconds = static_cast<std::int64_t>(seconds_since_1970());
  for (const std::string& name : existing) {
    std::int64_t other = 0;
    const char* const digits = name.data() + kPrefix.size();
    if (std::from_chars(digits, name.data() + name.size(), other).ec == std::errc()) {
      seconds = std::max(seconds, other + 1);
    }
  }
  return fmt::format("{}{}.{}.{}{}", kPrefix, seconds, host_name(), getpid(), kSuffix);
}

// Whether TensorBoard shows an evaluation of `step` that an earlier sitting wrote.
bool has_evaluation(const fs::path& folder, const std::vector<std::string>& names, std::int64_t step) {
  bool found = false;
  for (const std::string& name : names) {
    for (const std::string& record : read_records(folder / name)) {
      Event event;
      if (!event.ParseFromString(record)) continue;
      if (event.session_log().status() == SessionLog::START && event.step() <= step) found = false;
      for (const auto& value : event.summary().value()) found |= event.step() == step && value.tag() == kEvalLoss;
    }
  }
  return found;
}

void append(RecordFile& file, std::int64_t step, Event event) {
  event.set_wall_time(seconds_since_1970());
  event.set_step(step);
  file.append(event.SerializeAsString());
}

void add(Event& event, const std::string& tag, double value) {
  auto* const added = event.mutable_summary()->add_value();
  added->set_tag(tag);
  added->set_simple_value(static_cast<float>(value));
}

void add(Event& event, const std::string& tag, const Histogram& histogram) {
  auto* const added = event.mutable_summary()->add_value();
  added->set_tag(tag);
  auto* const made = added->mutable_histo();
  made->set_min(histogram.min);
  made->set_max(histogram.max);
  made->set_num(static_cast<double>(histogram.count));
  made->set_sum(histogram.sum);
  made->set_sum_squares(histogram.sum_squares);
  made->mutable_bucket_limit()->Add(histogram.limits.begin(), histogram.limits.end());
  made->mutable_bucket()->Add(histogram.counts.begin(), histogram.counts.end());
}

class TensorBoardEvents : public RunListener {
 public:
  explicit TensorBoardEvents(fs::path folder) : folder_(std::move(folder)) {}

  void on_start(const RunStarted& event) override;
  void on_step(const StepDone& event) override;
  void on_weights(const WeightsAndGradients& event) override;
  void on_geometry(const GeometryMeasured& event) override;
  void on_log(const Logged& event) override;
  void on_evaluation(const Evaluated& event) override;
  void on_end(const RunEnded& event) override;

 private:
  fs::path folder_;
  std::optional<RecordFile> file_;  // from on_start to on_end
  std::optional<double> best_loss_;
  std::optional<std::int64_t> evaluated_step_;  // whose evaluation is made again, and is in an earlier file already
  double peak_flops_ = 0.0;
  StepTotals since_log_;
};

void TensorBoardEvents::on_start(const RunStarted& event) {
  const std::vector<std::string> all = event_files(folder_);
  std::vector<std::string> ours;
  std::ranges::copy_if(all, std::back_inserter(ours), [](const auto& name) { return name.ends_with(kSuffix); });
  best_loss_ = event.best_loss;
  peak_flops_ = event.peak_flops;
  if (event.evaluation_pending && has_evaluation(folder_, ours, event.first_step)) evaluated_step_ = event.first_step;

  file_.emplace(folder_ / new_file_name(all));
  Event version;
  version.set_file_version("brain.Event:2");  // from which on readers heed SessionLog
  append(*file_, 0, std::move(version));
  // Also in the first file: TensorBoard takes the second START that it sees for the first restart.
  Event start;
  start.mutable_session_log()->set_status(SessionLog::START);
  append(*file_, event.first_step == 0 ? 0 : event.first_step + 1, std::move(start));
  if (event.first_step > 0) return;
  for (const std::string& name : ours) {
    std::error_code failure;
    fs::remove(folder_ / name, failure);
    if (failure) fail_on_file("cannot remove an earlier run's file", failure.value(), folder_ / name);
  }
}

void TensorBoardEvents::on_step(const StepDone& event) {
  since_log_.add(event);
}

// An event for each tensor, so that no record is large.
void TensorBoardEvents::on_weights(const WeightsAndGradients& event) {
  for (const TensorValues& tensor : event.tensors) {
    Event histograms;
    add(histograms, fmt::format("weights/{}", tensor.name), histogram_of(tensor.weights));
    add(histograms, fmt::format("gradients/{}", tensor.name), histogram_of(tensor.gradient));
    append(*file_, event.step, std::move(histograms));
  }
}

void TensorBoardEvents::on_geometry(const GeometryMeasured& event) {
  Event scalars;
  for (const ArrayGeometry& array : event.arrays) {
    for (const auto& [name, value] : array.measures) {
      add(scalars, fmt::format("geometry/{}/{}", name, array.array), value);
    }
  }
  append(*file_, event.step, std::move(scalars));
}

void TensorBoardEvents::on_log(const Logged& event) {
  Event scalars;
  add(scalars, "train/loss", event.loss);
  if (event.loss_per_prediction && best_loss_) {
    add(scalars, "train/excess_loss", *event.loss_per_prediction - *best_loss_);
  }
  add(scalars, "train/grad_norm", event.grad_norm);
  add(scalars, "train/learning_rate", event.learning_rate);
  add(scalars, "train/epoch", event.epoch);
  if (event.tokens) add(scalars, "train/num_input_tokens_seen", static_cast<double>(*event.tokens));
  if (since_log_.seconds > 0.0) {
    add(scalars, "train/tokens_per_second", since_log_.tokens / since_log_.seconds);
    if (peak_flops_ > 0.0) add(scalars, "train/share_of_peak", since_log_.flops / since_log_.seconds / peak_flops_);
  }
  since_log_ = {};
  append(*file_, event.step, std::move(scalars));
}

void TensorBoardEvents::on_evaluation(const Evaluated& event) {
  if (event.step == evaluated_step_) return;
  Event scalars;
  add(scalars, kEvalLoss, event.loss);
  if (best_loss_) add(scalars, "eval/excess_loss", event.loss_per_prediction - *best_loss_);
  add(scalars, "eval/runtime", event.seconds);
  append(*file_, event.step, std::move(scalars));
}

// Also called for a run that was finished before, which has its files already.
void TensorBoardEvents::on_end(const RunEnded& /*event*/) {
  if (file_) file_->close();
  file_.reset();
}

}  // namespace
#endif

bool has_tensorboard_events() {
  return STRIDER_HAS_PROTOBUF != 0;
}

std::unique_ptr<RunListener> make_tensorboard_events([[maybe_unused]] std::filesystem::path folder) {
#if STRIDER_HAS_PROTOBUF
  return std::make_unique<TensorBoardEvents>(std::move(folder));
#else
  throw Error("this build of Strider has no TensorBoard event files",
              {.file = {},
               .place = {},
               .advice = "Install libprotobuf-dev and protobuf-compiler and build anew, or set REPORT_TO=none."});
#endif
}

}  // namespace strider
