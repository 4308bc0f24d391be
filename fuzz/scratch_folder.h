#pragma once
// For readers that take a folder: one for the whole run of a fuzzer, and an input that stands for several files.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace strider::fuzz {

inline std::filesystem::path make_scratch_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "strider-fuzz-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) std::abort();
  return name;
}

/// Cuts the next file off an input: up to a NUL byte, or all of it.
inline std::string_view take_file(std::string_view& input) {
  const std::size_t end = std::min(input.find('\0'), input.size());
  const std::string_view file = input.substr(0, end);
  input.remove_prefix(std::min(input.size(), end + 1));
  return file;
}

inline void write_file(const std::filesystem::path& file, std::string_view bytes) {
  std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace strider::fuzz
