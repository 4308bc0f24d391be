#include "report/screen.h"

#include <fmt/format.h>
#include <sys/ioctl.h>

#include <algorithm>

namespace strider {
namespace {

constexpr auto kBetweenDrawings = std::chrono::milliseconds(100);
constexpr int kUsualColumns = 80;
// Back to the first column; then what was there is cleared after the new text is written, so that nothing flickers.
constexpr const char* kBack = "\r";
constexpr const char* kClearRest = "\x1b[K";

// Rows of no more than `columns` columns where words allow it; what follows the first row is indented below it.
std::string wrapped(const std::string& text, std::size_t columns) {
  std::string result;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string row = text.substr(begin, end - begin);
    const std::size_t indent = std::min(row.find_first_not_of(' '), row.size()) + 2;
    while (row.size() > columns) {
      std::size_t space = row.rfind(' ', columns);
      if (space == std::string::npos || space < indent) space = row.find(' ', std::max(columns, indent));
      if (space == std::string::npos) break;  // a word that is wider than the window
      result += row.substr(0, space) + "\n";
      row = std::string(indent, ' ') + row.substr(space + 1);
    }
    result += row + (end < text.size() ? "\n" : "");
    begin = end + 1;
  }
  return result;
}

}  // namespace

int Screen::columns() const {
  int columns = columns_;
  winsize size{};
  if (columns == 0 && ioctl(fileno(out_), TIOCGWINSZ, &size) == 0) columns = size.ws_col;
  if (columns == 0) columns = kUsualColumns;
  return columns - 1;  // the last one would make some terminals wrap
}

// To the first column of the status line; where the window has become narrower since it was drawn, the terminal has
// wrapped it, and all of its rows are cleared.
std::string Screen::back_to_status() const {
  if (drawn_ == 0) return {};
  const auto width = static_cast<std::size_t>(columns() + 1);
  const std::size_t rows_above = (drawn_ - 1) / width;
  return rows_above == 0 ? kBack : fmt::format("\x1b[{}A{}\x1b[J", rows_above, kBack);
}

void Screen::line(const std::string& text) {
  const std::string shown = is_terminal_ ? wrapped(text, static_cast<std::size_t>(columns())) : text;
  // What is left of a status line behind the first row is cleared.
  const std::size_t first_row = std::min(shown.find('\n'), shown.size());
  const std::string whole =
      back_to_status() + shown.substr(0, first_row) + (drawn_ > 0 ? kClearRest : "") + shown.substr(first_row) + "\n";
  drawn_ = 0;
  last_drawn_.reset();
  std::fwrite(whole.data(), 1, whole.size(), out_);
  std::fflush(out_);
}

bool Screen::wants_status(Clock::time_point now) const {
  return is_terminal_ && (!last_drawn_ || now - *last_drawn_ >= kBetweenDrawings);
}

void Screen::status(const std::string& text, Clock::time_point now) {
  if (!wants_status(now)) return;
  const std::string whole = (drawn_ > 0 ? back_to_status() : kBack) + text + kClearRest;
  drawn_ = text.size();
  last_drawn_ = now;
  std::fwrite(whole.data(), 1, whole.size(), out_);
  std::fflush(out_);
}

void Screen::clear_status() {
  if (drawn_ == 0) return;
  const std::string whole = back_to_status() + kClearRest;
  drawn_ = 0;
  std::fwrite(whole.data(), 1, whole.size(), out_);
  std::fflush(out_);
}

}  // namespace strider
