#pragma once
// What there is at a path, through links. Where that cannot be found out (a folder that may not be searched), the
// answer is that there is nothing, and whoever then opens or makes the file gets the system's reason.
#include <filesystem>
#include <system_error>

namespace strider {

inline bool path_exists(const std::filesystem::path& path) {
  std::error_code unknown;
  return std::filesystem::exists(path, unknown);
}

inline bool is_file(const std::filesystem::path& path) {
  std::error_code unknown;
  return std::filesystem::is_regular_file(path, unknown);
}

inline bool is_folder(const std::filesystem::path& path) {
  std::error_code unknown;
  return std::filesystem::is_directory(path, unknown);
}

}  // namespace strider
