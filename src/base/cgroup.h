#pragma once
// The limits that Linux control groups set on this process. Version 1 has a hierarchy for each controller, version 2
// one for all; a machine may mount both. A group is limited by itself and by every group above it.
// https://docs.kernel.org/admin-guide/cgroup-v2.html and .../cgroup-v1/
#include <cstdint>
#include <filesystem>
#include <optional>

namespace strider {

struct CgroupLimits {
  std::optional<std::uint64_t> memory_bytes;  // the least of memory.max or memory.limit_in_bytes
  std::optional<double> processors;           // the least quota, in seconds of processor time per second
};

/// Of the groups that `system`/proc/self/cgroup names, where `system`/proc/self/mountinfo says that they are mounted
/// (in a container its own group is often the root of the mount). What cannot be read limits nothing. Tests give a
/// folder with made-up files as `system`.
CgroupLimits read_cgroup_limits(const std::filesystem::path& system = "/");

}  // namespace strider
