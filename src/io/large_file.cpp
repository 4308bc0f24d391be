#include "io/large_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "base/error.h"
#include "io/file_steps.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMemoryAlignment = 4096;  // what direct writes ask of any disk in use
constexpr const char* kCannotWriteFile = "cannot write the file";

/// Whether the buffer may be written past the page cache. Systems that do not say, or whose statx may not be called
/// (the filters of some containers), are taken to say no.
bool takes_direct_writes(int descriptor) {
#ifdef STATX_DIOALIGN
  struct statx about {};
  if (statx(descriptor, "", AT_EMPTY_PATH, STATX_DIOALIGN, &about) != 0) return false;
  return (about.stx_mask & STATX_DIOALIGN) != 0 && about.stx_dio_offset_align != 0 &&
         LargeFile::kBufferBytes % about.stx_dio_offset_align == 0 && kMemoryAlignment % about.stx_dio_mem_align == 0;
#else
  static_cast<void>(descriptor);
  return false;
#endif
}

/// pwrite(2), again where a signal interrupted it.
ssize_t write_once(int descriptor, std::uint64_t at, std::string_view bytes) {
  ssize_t written = -1;
  do {
    written = pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(at));
  } while (written < 0 && errno == EINTR);
  return written;
}

}  // namespace

LargeFile::LargeFile(fs::path file)
    : file_(std::move(file)),
      partial_(partial_name(file_)),
      buffer_(static_cast<char*>(std::aligned_alloc(kMemoryAlignment, kBufferBytes))),
      written_(static_cast<char*>(std::aligned_alloc(kMemoryAlignment, kBufferBytes))) {
  if (!buffer_ || !written_) throw std::bad_alloc();
  descriptor_ = open(partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_on_file(kCannotWriteFile, errno, file_);
}

LargeFile::~LargeFile() {
  writing_.abandon();
  if (direct_ >= 0) close(direct_);
  if (descriptor_ < 0) return;
  close(descriptor_);
  unlink(partial_.c_str());
}

void LargeFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    if (buffered_ == kBufferBytes) flush();
    const std::size_t count = std::min(bytes.size(), kBufferBytes - buffered_);
    std::memcpy(buffer_.get() + buffered_, bytes.data(), count);
    buffered_ += count;
    bytes.remove_prefix(count);
  }
}

void LargeFile::overwrite(std::uint64_t at, std::string_view bytes) {
  if (at > size() || bytes.size() > size() - at) {
    throw Error("bytes past the end of the file cannot be corrected",
                {.file = file_.string(), .place = {}, .advice = {}});
  }
  const std::uint64_t on_disk = at < flushed_ ? std::min<std::uint64_t>(flushed_ - at, bytes.size()) : 0;
  if (on_disk > 0) writing_.wait();
  write_at(at, bytes.substr(0, on_disk));
  if (on_disk == bytes.size()) return;
  std::memcpy(buffer_.get() + (at + on_disk - flushed_), bytes.data() + on_disk, bytes.size() - on_disk);
}

void LargeFile::flush() {
  writing_.wait();
  if (flushed_ == 0) open_direct();
  std::swap(buffer_, written_);
  flushed_ += kBufferBytes;
  buffered_ = 0;
  writing_.start([this, at = flushed_ - kBufferBytes] { write_buffer(at); });
}

void LargeFile::write_buffer(std::uint64_t at) {
  const std::string_view bytes(written_.get(), kBufferBytes);
  // A direct write that fails, whatever it says, has written nothing: the ordinary write then does it, or says what is
  // wrong. Where less than all fits (a full disk, a limit on the size of files), what is left need not begin or end
  // where a direct write may, and goes the ordinary way too.
  std::size_t direct = 0;
  if (writes_directly_) {
    const ssize_t written = write_once(direct_, at, bytes);
    writes_directly_ = written >= 0;
    if (written > 0) direct = static_cast<std::size_t>(written);
  }
  write_at(at + direct, bytes.substr(direct));
}

void LargeFile::open_direct() {
  if (!takes_direct_writes(descriptor_)) return;
  direct_ = open(partial_.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC);
  writes_directly_ = direct_ >= 0;
}

void LargeFile::write_at(std::uint64_t at, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write_once(descriptor_, at, bytes);
    if (written < 0) fail_on_file(kCannotWriteFile, errno, file_);
    bytes.remove_prefix(static_cast<std::size_t>(written));
    at += static_cast<std::uint64_t>(written);
  }
}

void LargeFile::close_all() {
  const int direct_result = direct_ < 0 ? 0 : close(std::exchange(direct_, -1));
  int error_number = errno;
  const int result = close(std::exchange(descriptor_, -1));
  if (direct_result == 0) error_number = errno;
  if (direct_result == 0 && result == 0) return;
  unlink(partial_.c_str());
  fail_on_file("cannot close the file", error_number, file_);
}

void LargeFile::commit() {
  writing_.wait();
  write_at(flushed_, {buffer_.get(), buffered_});
  close_all();
  rename_into_place(partial_, file_);
}

}  // namespace strider
