#pragma once
// Room on a disk that is written and read at any place, for what does not fit in memory and is not needed afterwards.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace strider {

/// Has no name while it is used, so nothing is left of it, also by a kill. Several threads may use it at once at
/// different places. Throws Error: no permission, no space.
class ScratchFile {
 public:
  /// `file` is a name that is not taken, in a folder that exists. What was never written reads as zeros.
  ScratchFile(std::filesystem::path file, std::uint64_t bytes);
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  /// at + bytes.size() is at most the file's size, as in read().
  void write(std::uint64_t at, std::span<const std::byte> bytes);
  void read(std::uint64_t at, std::span<std::byte> bytes) const;

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
};

}  // namespace strider
