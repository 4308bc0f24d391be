#include "cli/signals.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string_view>

#include "cli/terminal.h"

namespace strider::cli {
namespace {

constexpr int kStops[] = {SIGINT, SIGTERM, SIGHUP, SIGXCPU};
constexpr int kCheckpoints[] = {SIGUSR1, SIGUSR2};
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kSameRequest = 2 * kSecond;

// A handler can reach nothing but what is global.
std::atomic<TrainingSignals*> g_signals{nullptr};
std::atomic<int> g_output{STDOUT_FILENO};
std::atomic<bool> g_redraws{false};

// A line that a handler may compose: no allocation, no locale.
class Line {
 public:
  Line& text(std::string_view text) {
    for (const char letter : text) put(letter);
    return *this;
  }
  Line& number(std::int64_t number) {
    std::array<char, 20> digits{};
    std::size_t count = 0;
    do {
      digits[count++] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number > 0);
    while (count > 0) put(digits[--count]);
    return *this;
  }
  /// A terminal's status line is overwritten. Whoever reads the output may be gone.
  void write() {
    put('\n');
    static_cast<void>(!::write(g_output.load(), letters_.data(), size_));
  }

 private:
  void put(char letter) {
    if (size_ < letters_.size()) letters_[size_++] = letter;
  }
  std::array<char, 512> letters_{};
  std::size_t size_ = 0;
};

void acknowledge(const TrainingSignals& signals, std::int64_t now) {
  const Activity activity = signals.activity.load();
  const std::int64_t rest = signals.expected_rest(now);
  Line line;
  if (g_redraws.load()) line.text("\r\x1b[K");
  line.text("Stopping: ");
  if (activity == Activity::kPreparing) {
    line.text("before the next step");
  } else if (activity == Activity::kSaving) {
    line.text("after what is being saved");
  } else {
    line.text(activity == Activity::kStep ? "the step under way " : "the evaluation under way ");
    if (rest > kPatienceNanoseconds) {
      line.text("would take about ").number(rest / kSecond).text(" s more and is given up");
    } else if (signals.expected.load() > 0) {
      line.text("is finished first (about ").number((rest + kSecond - 1) / kSecond).text(" s)");
    } else {
      line.text("is finished first, or given up after ").number(kPatienceNanoseconds / kSecond).text(" s");
    }
    line.text(", then a checkpoint is written");
  }
  line.text(". Ctrl-C again, after ").number(kSameRequest / kSecond).text(" s, ends at once, without a checkpoint.");
  line.write();
}

extern "C" void on_signal(int number) {
  const int error_number = errno;
  TrainingSignals* const signals = g_signals.load();
  if (signals == nullptr) return;
  const std::int64_t now = steady_nanoseconds();
  std::int64_t none = 0;
  if (number == SIGUSR1 || number == SIGUSR2) {
    signals->checkpoint.store(true);
  } else if (signals->stop_at.compare_exchange_strong(none, now)) {
    signals->stop.store(number);
    acknowledge(*signals, now);
  } else if (now - none >= kSameRequest && (number == SIGINT || number == SIGTERM)) {
    signal(number, SIG_DFL);
    raise(number);  // as soon as this handler returns
  }
  errno = error_number;
}

bool is_ignored(int number) {
  struct sigaction now {};
  sigaction(number, nullptr, &now);
  return now.sa_handler == SIG_IGN;
}

}  // namespace

SignalScope::SignalScope(TrainingSignals& signals, int output) {
  g_output.store(output);
  g_redraws.store(can_redraw(output));
  g_signals.store(&signals);
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);  // one handler at a time
  for (const int number : kStops) {
    // nohup ignores SIGHUP; SIGINT is ignored in what a shell starts in the background of a script.
    if (!is_ignored(number)) sigaction(number, &action, nullptr);
  }
  for (const int number : kCheckpoints) sigaction(number, &action, nullptr);
}

SignalScope::~SignalScope() {
  const bool is_stopped = g_signals.load()->stop.load() != 0;
  for (const int number : kStops) {
    // A second signal of the same request may come when all is written: it must not change the exit code.
    if (!is_ignored(number)) signal(number, is_stopped ? SIG_IGN : SIG_DFL);
  }
  for (const int number : kCheckpoints) signal(number, SIG_IGN);
  g_signals.store(nullptr);
}

}  // namespace strider::cli
