#include "base/cgroup.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr double kDefaultPeriod = 100'000.0;          // microseconds; the kernel's own default
constexpr std::uint64_t kNoMemoryLimit = 1ULL << 62;  // version 1 writes its largest number for "no limit"

struct Mount {
  bool version_2 = false;
  std::string options;  // of version 1: its controllers are among them
  fs::path root;        // the group that is seen at `point`
  fs::path point;
};

bool has_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (list.substr(0, comma) == word) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

// mountinfo writes a space, a tab, a newline and a backslash of a path as a backslash and three octal digits.
std::string unescaped(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int code = 0;
    const bool escape = text[i] == '\\' && i + 3 < text.size();
    if (escape && std::from_chars(&text[i + 1], &text[i + 4], code, 8).ptr == &text[i + 4]) {
      plain += static_cast<char>(code);
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// Lines are "36 35 98:0 /root /point options [tag ...] - type source super-options" (proc_pid_mountinfo(5)).
std::vector<Mount> read_mounts(const fs::path& system) {
  std::vector<Mount> mounts;
  std::ifstream stream(system / "proc/self/mountinfo");
  for (std::string line; std::getline(stream, line);) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line.substr(0, dash));
    std::istringstream after(line.substr(dash + 3));
    std::string word, root, point, type, source, options;
    before >> word >> word >> word >> root >> point;
    after >> type >> source >> options;
    if (type == "cgroup" || type == "cgroup2") {
      mounts.push_back({type == "cgroup2", options, unescaped(root), unescaped(point)});
    }
  }
  if (mounts.empty()) {  // where the list cannot be read: the usual places
    mounts = {{true, {}, "/", "/sys/fs/cgroup"},
              {false, "memory", "/", "/sys/fs/cgroup/memory"},
              {false, "cpu", "/", "/sys/fs/cgroup/cpu"}};
  }
  return mounts;
}

// The folders of the group `path` and of all groups above it that are seen through a mount.
std::vector<fs::path> group_folders(const fs::path& system, const Mount& mount, const fs::path& path) {
  std::vector<fs::path> folders{system / mount.point.relative_path()};
  fs::path below = path.lexically_relative(mount.root);
  // Another namespace's name for the group: the mount then shows the process's own group, or one below it.
  if (below.empty() || *below.begin() == "..") below = path.relative_path();
  for (const fs::path& name : below) {
    if (name == "..") break;  // the process is outside of what its namespace shows
    if (name != "." && !name.empty()) folders.push_back(folders.back() / name);
  }
  return folders;
}

std::optional<double> number_in(const fs::path& file) {
  std::ifstream stream(file);
  double number = 0.0;
  if (stream >> number) return number;
  return std::nullopt;  // no such file, or "max"
}

std::optional<std::uint64_t> bytes_in(const fs::path& file) {
  std::ifstream stream(file);
  std::uint64_t bytes = 0;
  if (stream >> bytes && bytes < kNoMemoryLimit) return bytes;
  return std::nullopt;
}

// cpu.max has "<quota> <period>" or "max <period>"; version 1 has a file each and a quota of -1 for none.
std::optional<double> processors_in(const fs::path& folder, bool version_2) {
  std::optional<double> quota, period;
  if (version_2) {
    std::ifstream stream(folder / "cpu.max");
    double number = 0.0;
    if (stream >> number) quota = number;
    if (stream >> number) period = number;
  } else {
    quota = number_in(folder / "cpu.cfs_quota_us");
    period = number_in(folder / "cpu.cfs_period_us");
  }
  const double length = period.value_or(kDefaultPeriod);
  if (!quota || *quota <= 0.0 || length <= 0.0) return std::nullopt;
  return *quota / length;
}

template <typename T>
void tighten(std::optional<T>& least, std::optional<T> found) {
  if (found && (!least || *found < *least)) least = found;
}

}  // namespace

CgroupLimits read_cgroup_limits(const fs::path& system) {
  CgroupLimits limits;
  const std::vector<Mount> mounts = read_mounts(system);
  std::ifstream stream(system / "proc/self/cgroup");
  // Lines are "number:controllers:path" (cgroups(7)); version 2 names no controllers.
  for (std::string line; std::getline(stream, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path path = line.substr(second + 1);
    for (const Mount& mount : mounts) {
      const bool version_2 = controllers.empty();
      if (mount.version_2 != version_2) continue;
      const auto governs = [&](const char* what) {
        return version_2 || (has_word(controllers, what) && has_word(mount.options, what));
      };
      if (!governs("memory") && !governs("cpu")) continue;
      for (const fs::path& folder : group_folders(system, mount, path)) {
        if (governs("memory")) {
          tighten(limits.memory_bytes, bytes_in(folder / (version_2 ? "memory.max" : "memory.limit_in_bytes")));
        }
        if (governs("cpu")) tighten(limits.processors, processors_in(folder, version_2));
      }
    }
  }
  return limits;
}

}  // namespace strider
