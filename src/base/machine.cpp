#include "base/machine.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <limits>

namespace strider {
namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

std::uint64_t limit_in(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::string word;
  if (!(stream >> word)) return kNoLimit;
  std::uint64_t bytes = 0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), bytes);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == word.data() + word.size();
  return whole ? bytes : kNoLimit;  // "max"
}

// Lines are "number:controllers:path"; version 2 has no controllers.
std::uint64_t own_cgroup_limit() {
  std::uint64_t least = kNoLimit;
  std::ifstream stream("/proc/self/cgroup");
  for (std::string line; std::getline(stream, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) least = std::min(least, cgroup_limit_bytes("/sys/fs/cgroup", path, "memory.max"));
    if (("," + controllers + ",").find(",memory,") != std::string::npos) {
      least = std::min(least, cgroup_limit_bytes("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes"));
    }
  }
  return least;
}

}  // namespace

std::string processor_name() {
  std::ifstream stream("/proc/cpuinfo");
  for (std::string line; std::getline(stream, line);) {
    if (!line.starts_with("model name")) continue;
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown processor";
}

std::uint64_t cgroup_limit_bytes(const std::string& root, const std::string& path, const std::string& file) {
  // A container sees its own cgroup as the root, whatever /proc/self/cgroup calls it.
  std::uint64_t least = limit_in(std::filesystem::path(root) / file);
  for (std::filesystem::path at = std::filesystem::path(path).relative_path(); !at.empty(); at = at.parent_path()) {
    least = std::min(least, limit_in(std::filesystem::path(root) / at / file));
  }
  return least;
}

std::uint64_t memory_limit_bytes() {
  const auto pages = static_cast<std::uint64_t>(std::max(0L, sysconf(_SC_PHYS_PAGES)));
  const auto page_bytes = static_cast<std::uint64_t>(std::max(0L, sysconf(_SC_PAGESIZE)));
  std::uint64_t least = pages * page_bytes;
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    least = std::min(least, static_cast<std::uint64_t>(limit.rlim_cur));
  }
  return std::min(least, own_cgroup_limit());
}

}  // namespace strider
