#pragma once
// What a run prints: lines that stay and, on a terminal, one line below them that is redrawn in place.
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>

#include "base/clock.h"

namespace strider {

/// The line above and below a heading.
inline constexpr const char* kRule = "============================================================";

class Screen {
 public:
  /// `out` stays open longer than this. `columns` other than 0 replaces the width of the terminal (else asked for at
  /// each drawing, so that a window may change).
  Screen(std::FILE* out, bool is_terminal, int columns = 0) : out_(out), is_terminal_(is_terminal), columns_(columns) {}
  ~Screen() { clear_status(); }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  bool is_terminal() const { return is_terminal_; }
  int columns() const;  // that a status line may use

  /// A line that stays, written out at once; on a terminal wrapped at words.
  void line(const std::string& text);

  /// Whether a status line would be drawn now: only on a terminal, at most ten times per second.
  bool wants_status(Clock::time_point now) const;
  /// Draws `text` (no more than columns() characters) over the status line before it.
  void status(const std::string& text, Clock::time_point now);
  void clear_status();

 private:
  std::string back_to_status() const;

  std::FILE* out_;
  bool is_terminal_;
  int columns_;
  std::size_t drawn_ = 0;  // columns of the status line on the terminal
  std::optional<Clock::time_point> last_drawn_;
};

}  // namespace strider
