#include "base/machine.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <memory>
#include <thread>

#include "base/cgroup.h"
#include "base/thread_team.h"

namespace strider {
namespace {

struct FreeCpuSet {
  void operator()(cpu_set_t* set) const { CPU_FREE(set); }
};

}  // namespace

// The kernel refuses a mask that has fewer bits than it has processors (EINVAL), and a fixed cpu_set_t has 1,024: the
// mask grows until it is large enough.
std::optional<int> processors_allowed() {
  constexpr int kFirstBits = 1024;
  constexpr int kMostBits = 1 << 20;
  for (int bits = kFirstBits; bits <= kMostBits; bits *= 2) {
    const std::unique_ptr<cpu_set_t, FreeCpuSet> set(CPU_ALLOC(bits));
    if (!set) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(bits);
    CPU_ZERO_S(bytes, set.get());
    if (sched_getaffinity(0, bytes, set.get()) == 0) return CPU_COUNT_S(bytes, set.get());
    if (errno != EINVAL) break;
  }
  return std::nullopt;
}

std::string processor_name() {
  std::ifstream stream("/proc/cpuinfo");
  for (std::string line; std::getline(stream, line);) {
    if (!line.starts_with("model name")) continue;
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown processor";
}

std::uint64_t memory_limit_bytes() {
  const auto pages = static_cast<std::uint64_t>(std::max(0L, sysconf(_SC_PHYS_PAGES)));
  const auto page_bytes = static_cast<std::uint64_t>(std::max(0L, sysconf(_SC_PAGESIZE)));
  std::uint64_t least = pages * page_bytes;
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    least = std::min(least, static_cast<std::uint64_t>(limit.rlim_cur));
  }
  return std::min(least, read_cgroup_limits().memory_bytes.value_or(least));
}

int available_processors() {
  const int online = static_cast<int>(std::thread::hardware_concurrency());
  return threads_within_quota(processors_allowed().value_or(online), read_cgroup_limits().processors);
}

int threads_within_quota(int processors, std::optional<double> quota) {
  double threads = processors;
  if (quota) threads = std::min(threads, std::ceil(*quota));
  return static_cast<int>(std::clamp(threads, 1.0, double{kMostThreads}));
}

}  // namespace strider
