#pragma once
// What a page does not show, and why: named in the page and on the screen.
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace strider {

/// Of one run. Whole sentences.
class Missing {
 public:
  void add(std::string text) { texts_.push_back(std::move(text)); }
  /// "The surface: <message> (in file, place)".
  void add(const std::string& what, const Error& error) {
    const ErrorDetails& details = error.details();
    std::string text = what + ": " + error.message();
    if (!details.file.empty())
      text += " (in " + details.file + (details.place.empty() ? "" : ", " + details.place) + ")";
    if (!text.ends_with('.')) text += '.';
    if (!details.advice.empty()) text += ' ' + details.advice;
    add(std::move(text));
  }
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  std::vector<std::string> texts_;
};

}  // namespace strider
