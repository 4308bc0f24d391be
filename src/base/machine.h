#pragma once
// What this machine is: its processor, the memory that a process may take, and how fast it multiplies.
#include <cstdint>
#include <string>

namespace strider {

/// The processor's name as the system gives it, "unknown processor" where it gives none.
std::string processor_name();

/// The widest vector instructions that the arithmetic uses here, as Highway names them: "AVX2", "AVX3_ZEN4", "NEON" ...
std::string vector_instructions();

/// Bytes of memory that this process may take: the machine's, or less where a cgroup (version 1 or 2) or a resource
/// limit (ulimit -v) allows less.
std::uint64_t memory_limit_bytes();

/// The least limit that a cgroup at `path` ("/a/b", as in /proc/self/cgroup) or one above it sets; `root` is where
/// cgroups are mounted, `file` the name of their limit. UINT64_MAX where none does.
std::uint64_t cgroup_limit_bytes(const std::string& root, const std::string& path, const std::string& file);

/// Floating-point operations a second of `threads` threads that do nothing but float32 fused multiply-adds in
/// registers (two operations each), measured in about 20 ms.
double measure_peak_flops(int threads);

}  // namespace strider
