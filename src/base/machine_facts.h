#pragma once
// What a process has of this machine, fact by fact, each with why it is not known where it cannot be read. machine.h
// has the few of them that arithmetic depends on.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace strider {

struct MachineFacts {
  std::string system;     // "Linux 6.1.0 x86_64"
  std::string processor;  // processor_name()
  std::string vectors;    // vector_instructions()
  int threads = 1;        // available_processors(): what THREADS=all means

  std::optional<int> processors_online;
  std::optional<int> processors_allowed;  // by the affinity mask (taskset, Slurm, cpusets)
  std::optional<double> processor_quota;  // of cgroups, in processors; nothing: none, unless it is among `unknown`
  std::optional<double> load;             // processes that ran or wanted to, on average over the last minute

  std::optional<std::uint64_t> memory_total;      // bytes of the machine
  std::optional<std::uint64_t> memory_available;  // that could be taken now without swapping
  std::optional<std::uint64_t> memory_cgroup;     // limit of cgroups; nothing: none, unless it is among `unknown`
  std::uint64_t memory_limit = 0;                 // memory_limit_bytes(): the least of all limits
  std::optional<std::uint64_t> disk_free;         // bytes that this user may still write where `folder` is

  struct Unknown {
    std::string fact;  // "load"
    std::string why;   // "/proc/loadavg cannot be read"
  };
  std::vector<Unknown> unknown;
};

/// `system` is where /proc and /sys are found; tests give a folder with made-up files.
MachineFacts read_machine_facts(const std::filesystem::path& folder, const std::filesystem::path& system = "/");

}  // namespace strider
