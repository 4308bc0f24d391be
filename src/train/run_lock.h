#pragma once
// One run at a time in OUTPUT_DIR: `.strider.lock` in it is locked by flock(2), which the kernel gives back when a
// process ends in whatever way. The file itself stays; its one line says who holds the lock, or held it last.
#include <filesystem>

#include "base/notices.h"

namespace strider {

class RunLock {
 public:
  /// Makes output_dir, locks it, and removes what killed runs left half-written in it. Throws Error when another run
  /// holds it (with its process, host and start) or when it cannot be written to.
  explicit RunLock(const std::filesystem::path& output_dir);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  /// What the user has to take care of: that a filesystem has no locks (some network ones), or that something of an
  /// earlier run cannot be removed now.
  const Notices& notices() const { return notices_; }

 private:
  int descriptor_ = -1;
  Notices notices_;
};

}  // namespace strider
