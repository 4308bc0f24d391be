#pragma once
// A file of gigabytes, written front to back; bytes that are written already can be corrected. It appears whole or not
// at all.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string_view>

#include "base/background_job.h"

namespace strider {

/// Appended bytes are collected and go to the file kBufferBytes at a time, past the system's page cache where the
/// filesystem says that it can: a copy of every byte and the care for the pages would cost the processors more than the
/// disk takes. While one buffer is written the next one is filled. Without commit() nothing is left of the file. What
/// fails throws Error, from this call or a later one.
class LargeFile {
 public:
  static constexpr std::size_t kBufferBytes = 4 << 20;

  explicit LargeFile(std::filesystem::path file);  // its folder exists
  ~LargeFile();
  LargeFile(const LargeFile&) = delete;
  LargeFile& operator=(const LargeFile&) = delete;

  std::uint64_t size() const { return flushed_ + buffered_; }
  void append(std::string_view bytes);
  /// at + bytes.size() is at most size().
  void overwrite(std::uint64_t at, std::string_view bytes);
  /// Puts the file in its place. It is not flushed to the disk: who puts its folder in place flushes all in it.
  void commit();

 private:
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };

  void flush();
  void write_buffer(std::uint64_t at);
  void open_direct();
  void write_at(std::uint64_t at, std::string_view bytes);
  void close_all();

  std::filesystem::path file_, partial_;
  std::unique_ptr<char, Free> buffer_, written_;
  std::size_t buffered_ = 0;   // bytes in buffer_
  std::uint64_t flushed_ = 0;  // bytes of the file before those
  int descriptor_ = -1;
  int direct_ = -1;               // the same file past the page cache; -1: not opened, or the filesystem cannot
  bool writes_directly_ = false;  // by direct_, until that fails once
  BackgroundJob writing_;         // of written_, the last kBufferBytes before flushed_
};

}  // namespace strider
