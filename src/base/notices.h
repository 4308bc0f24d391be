#pragma once
// What a user should know of work that succeeded nevertheless: whole sentences, each kept once, in the order they came.
#include <algorithm>
#include <string>
#include <vector>

namespace strider {

class Notices {
 public:
  /// Whether it is a new one.
  bool add(std::string text) {
    if (std::find(texts_.begin(), texts_.end(), text) != texts_.end()) return false;
    texts_.push_back(std::move(text));
    return true;
  }
  void add(const Notices& others) {
    for (const std::string& text : others.texts_) add(text);
  }
  const std::vector<std::string>& texts() const { return texts_; }
  bool empty() const { return texts_.empty(); }

 private:
  std::vector<std::string> texts_;
};

}  // namespace strider
