#include "train/run_lock.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <string_view>

#include "base/error.h"
#include "io/leftovers.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLockFile = ".strider.lock";

[[noreturn]] void fail(const char* what, int error_number, const fs::path& path) {
  const bool full = error_number == ENOSPC || error_number == EDQUOT;
  throw system_error(what, error_number,
                     {.file = path.string(),
                      .place = {},
                      .advice = full ? "Free some space there and run the same command again."
                                     : "Choose an OUTPUT_DIR that you may write to."});
}

std::string this_run() {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) throw system_error("the machine's name cannot be read", errno);
  return fmt::format("process {} on {}, started {:%Y-%m-%d %H:%M:%S} UTC\n", getpid(), host.data(),
                     fmt::gmtime(std::time(nullptr)));
}

// Whatever is in the file is shown to a person, so only what can be printed on one line is taken of it.
std::string holder(int descriptor) {
  std::array<char, 512> bytes{};
  const ssize_t count = pread(descriptor, bytes.data(), bytes.size(), 0);
  std::string text;
  for (ssize_t i = 0; i < count && bytes[i] != '\n'; ++i) {
    const char character = bytes[i];
    if (character >= ' ' && character <= '~') text += character;
  }
  return text.empty() ? "a process that has just started" : text;
}

void write_holder(int descriptor, const fs::path& file) {
  const std::string text = this_run();
  if (ftruncate(descriptor, 0) != 0) fail("cannot write the lock of the output folder", errno, file);
  ssize_t written = -1;
  do {
    written = pwrite(descriptor, text.data(), text.size(), 0);
  } while (written < 0 && errno == EINTR);
  if (written < 0) fail("cannot write the lock of the output folder", errno, file);
}

int open_lock(const fs::path& output_dir) {
  std::error_code status;
  fs::create_directories(output_dir, status);
  if (status) fail("cannot make the output folder", status.value(), output_dir);
  // Early, since the first checkpoint may be hours away. Other answers say that the question cannot be answered here.
  const bool closed = access(output_dir.c_str(), W_OK | X_OK) != 0 && (errno == EACCES || errno == EROFS);
  if (closed) fail("the output folder cannot be written to", errno, output_dir);
  const fs::path file = output_dir / kLockFile;
  const int descriptor = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (descriptor < 0) fail("cannot open the lock of the output folder", errno, file);
  return descriptor;
}

bool is_of_a_run(std::string_view name) {
  return name.starts_with("checkpoint-") || name == "final_model" || name == "trainer_state.json" ||
         name == "strider_run.json" || name == ".strider.overwriting";
}

// Who holds the lock is the only one who writes these, so that it does not matter whose leftovers they are.
Notices clear_leftovers(const fs::path& output_dir) {
  Notices notices;
  for (const Leftover& leftover : find_leftovers(output_dir)) {
    if (is_of_a_run(leftover.name)) notices.add(remove_leftover(leftover));
  }
  return notices;
}

}  // namespace

RunLock::RunLock(const fs::path& output_dir) : descriptor_(open_lock(output_dir)) {
  try {
    if (flock(descriptor_, LOCK_EX | LOCK_NB) == 0) {
      write_holder(descriptor_, output_dir / kLockFile);
      notices_.add(clear_leftovers(output_dir));
    } else if (errno == EWOULDBLOCK) {
      throw Error(fmt::format("another run writes to the output folder: {}", holder(descriptor_)),
                  {.file = output_dir.string(),
                   .place = {},
                   .advice = "Wait for it or end it, or choose another OUTPUT_DIR or RUN_NAME."});
    } else {
      notices_.add(fmt::format("The filesystem of {} has no locks ({}): start no second run there.",
                               output_dir.string(), std::strerror(errno)));
    }
  } catch (...) {
    close(descriptor_);
    throw;
  }
}

RunLock::~RunLock() {
  close(descriptor_);
}

}  // namespace strider
