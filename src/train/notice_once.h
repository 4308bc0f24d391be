#pragma once
#include <string>

#include "base/notices.h"
#include "events/run_events.h"

namespace strider {

/// Passes notices on to the listener, each once in a run: most come back with every checkpoint.
class NoticeOnce {
 public:
  explicit NoticeOnce(RunListener& listener) : listener_(listener) {}
  void operator()(const Notices& notices) {
    for (const std::string& text : notices.texts()) {
      if (given_.add(text)) listener_.on_notice(text);
    }
  }

 private:
  RunListener& listener_;
  Notices given_;
};

}  // namespace strider
