#include "io/scratch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "io/file_steps.h"

namespace strider {

ScratchFile::ScratchFile(std::filesystem::path file, std::uint64_t bytes) : file_(std::move(file)) {
  descriptor_ = open(file_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor_ < 0) fail_on_file("cannot write the scratch file", errno, file_);
  unlink(file_.c_str());
  if (ftruncate(descriptor_, static_cast<off_t>(bytes)) == 0) return;
  const int error = errno;
  close(descriptor_);
  fail_on_file("cannot make room in the scratch file", error, file_);
}

ScratchFile::~ScratchFile() {
  close(descriptor_);
}

void ScratchFile::write(std::uint64_t at, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_on_file("cannot write the scratch file", errno, file_);
    at += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void ScratchFile::read(std::uint64_t at, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t got = pread(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail_on_file("cannot read the scratch file", got < 0 ? errno : EIO, file_);
    at += static_cast<std::uint64_t>(got);
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
}

}  // namespace strider
