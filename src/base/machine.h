#pragma once
// What this machine is: its processor, what of it a process may take, and how fast it multiplies.
#include <cstdint>
#include <optional>
#include <string>

namespace strider {

/// The processor's name as the system gives it, "unknown processor" where it gives none.
std::string processor_name();

/// The widest vector instructions that the arithmetic uses here, as Highway names them: "AVX2", "AVX3_ZEN4", "NEON" ...
std::string vector_instructions();

/// Bytes of memory that this process may take: the machine's, or less where a cgroup (version 1 or 2) or a resource
/// limit (ulimit -v) allows less.
std::uint64_t memory_limit_bytes();

/// Processors that this process's affinity mask allows; nothing where it cannot be asked for.
std::optional<int> processors_allowed();

/// How many threads this process should run at once: the processors that its affinity mask allows, or fewer where the
/// quota of a cgroup (version 1 or 2) pays for fewer. Between 1 and kMostThreads.
int available_processors();

/// `processors`, or the quota (in processors) rounded up where that is less: half a processor is one thread, one and a
/// half are two.
int threads_within_quota(int processors, std::optional<double> quota);

/// Floating-point operations per second of `threads` threads that do nothing but float32 fused multiply-adds in
/// registers (two operations each), measured in about 20 ms.
double measure_peak_flops(int threads);

}  // namespace strider
