#include "report/screen.h"

#include <sys/ioctl.h>

namespace strider {
namespace {

constexpr auto kBetweenDrawings = std::chrono::milliseconds(100);
constexpr int kUsualColumns = 80;
// Back to the first column; then what was there is cleared after the new text is written, so that nothing flickers.
constexpr const char* kBack = "\r";
constexpr const char* kClearRest = "\x1b[K";

}  // namespace

int Screen::columns() const {
  int columns = columns_;
  winsize size{};
  if (columns == 0 && ioctl(fileno(out_), TIOCGWINSZ, &size) == 0) columns = size.ws_col;
  if (columns == 0) columns = kUsualColumns;
  return columns - 1;  // the last one would make some terminals wrap
}

void Screen::line(const std::string& text) {
  const std::string whole = (drawn_ ? kBack : "") + text + (drawn_ ? kClearRest : "") + "\n";
  drawn_ = false;
  last_drawn_.reset();
  std::fwrite(whole.data(), 1, whole.size(), out_);
  std::fflush(out_);
}

bool Screen::wants_status(Clock::time_point now) const {
  return is_terminal_ && (!last_drawn_ || now - *last_drawn_ >= kBetweenDrawings);
}

void Screen::status(const std::string& text, Clock::time_point now) {
  if (!wants_status(now)) return;
  const std::string whole = kBack + text + kClearRest;
  drawn_ = true;
  last_drawn_ = now;
  std::fwrite(whole.data(), 1, whole.size(), out_);
  std::fflush(out_);
}

void Screen::clear_status() {
  if (!drawn_) return;
  drawn_ = false;
  std::fputs(kBack, out_);
  std::fputs(kClearRest, out_);
  std::fflush(out_);
}

}  // namespace strider
