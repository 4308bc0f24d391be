#include "io/file_steps.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace strider {
namespace {

std::string advice_for(int error_number) {
  if (error_number == ENOSPC || error_number == EDQUOT) return "Free some space there and run the same command again.";
  if (error_number == EACCES || error_number == EPERM || error_number == EROFS) {
    return "Choose a folder that you may write to, or change its permissions.";
  }
  return {};
}

// Answers that say "not here", as filesystems and the filters of containers give them, and not that data was lost.
bool says_unsupported(int error_number) {
  return error_number == EINVAL || error_number == ENOSYS || error_number == EOPNOTSUPP || error_number == ENOTSUP ||
         error_number == EPERM || error_number == EACCES || error_number == ENOTTY;
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() { close(number_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

 private:
  int number_;
};

}  // namespace

std::filesystem::path partial_name(const std::filesystem::path& place) {
  return place.parent_path() / fmt::format(".{}{}{}", place.filename().string(), kPartialMark, getpid());
}

void rename_into_place(const std::filesystem::path& partial, const std::filesystem::path& file) {
  if (rename(partial.c_str(), file.c_str()) == 0) return;
  const int error_number = errno;
  unlink(partial.c_str());
  fail_on_file("cannot put the file in its place", error_number, file);
}

void write_all(int descriptor, std::string_view bytes, const std::filesystem::path& file) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_on_file("cannot write the file", errno, file);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

int flush_open_file(int descriptor, const std::filesystem::path& file) {
  const int error_number = fsync(descriptor) == 0 ? 0 : errno;
  if (error_number != 0 && !says_unsupported(error_number)) {
    fail_on_file("cannot flush the file to the disk", error_number, file);
  }
  return error_number;
}

int flush_file(const std::filesystem::path& file) {
  int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) descriptor = open(file.c_str(), O_WRONLY | O_CLOEXEC);  // a umask may leave only that
  if (descriptor < 0) fail_on_file("cannot open what was just written", errno, file);
  const Descriptor closed_at_the_end(descriptor);
  return flush_open_file(descriptor, file);
}

int flush_folder(const std::filesystem::path& folder) {
  const int descriptor = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return errno;
  const Descriptor closed_at_the_end(descriptor);
  return fsync(descriptor) == 0 ? 0 : errno;
}

Notices flush_notice(const std::filesystem::path& folder, int error_number) {
  Notices notices;
  if (error_number == 0) return notices;
  notices.add(fmt::format(
      "{} cannot be flushed to the disk ({}): after a loss of power, what was written there last may be missing.",
      folder.empty() ? "." : folder.string(), std::strerror(error_number)));
  return notices;
}

void fail_on_file(const char* what, int error_number, const std::filesystem::path& file) {
  throw system_error(what, error_number, {.file = file.string(), .place = {}, .advice = advice_for(error_number)});
}

}  // namespace strider
