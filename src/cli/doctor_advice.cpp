#include "cli/doctor_advice.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/figures.h"

namespace strider::cli {

std::vector<std::string> doctor_advice(const MachineFacts& facts, const MeasuredSpeed& speed,
                                       const std::string& build_type) {
  constexpr double kFaster = 1.1;                       // what is worth a setting
  constexpr std::uint64_t kLittleDisk = 2'000'000'000;  // a few checkpoints and representations of the presets
  constexpr std::uint64_t kLittleMemory = 1'000'000'000;
  std::vector<std::string> advice;
  if (build_type != "Release" && build_type != "RelWithDebInfo") {
    advice.push_back(fmt::format("This program was built as \"{}\": `make build` builds a fast one.", build_type));
  }
  if (speed.products_bfloat16 > kFaster * speed.products_float32) {
    advice.push_back(
        fmt::format("PRECISION=bfloat16 multiplies {:.1f} times as fast as float32 here; PRECISION=auto tries both and "
                    "takes the faster one.",
                    speed.products_bfloat16 / speed.products_float32));
  }
  const int online = facts.processors_online.value_or(facts.threads);
  const int allowed = facts.processors_allowed.value_or(online);
  if (allowed < online) {
    advice.push_back(
        fmt::format("This process may use {} of {} processors (taskset, Slurm's --cpus-per-task, a cpuset): ask for "
                    "more of them if you may.",
                    allowed, online));
  }
  if (facts.processor_quota && *facts.processor_quota < allowed) {
    advice.push_back(
        fmt::format("The container's quota pays for {:.2g} of {} processors: a larger one (docker run --cpus, a limit "
                    "of Kubernetes) makes runs faster in proportion.",
                    *facts.processor_quota, allowed));
  }
  if (facts.load && *facts.load > 0.5 * std::max(1, facts.threads)) {
    advice.push_back(
        fmt::format("Other processes are at work (a load of {:.1f} on {} processors), and the speeds above are lower "
                    "for it. Where they stay, THREADS={} leaves them room.",
                    *facts.load, online, std::max(1, facts.threads - static_cast<int>(*facts.load))));
  }
  if (facts.memory_limit < kLittleMemory) {
    advice.push_back(
        fmt::format("A run may take {} of memory: a smaller BATCH_SIZE, with GRAD_ACCUM to keep the step, needs less.",
                    short_bytes(facts.memory_limit)));
  }
  if (facts.disk_free && *facts.disk_free < kLittleDisk) {
    advice.push_back(
        fmt::format("This folder's disk has {} left: SAVE_TOTAL_LIMIT keeps few checkpoints, and "
                    "OUTPUT_DIR may be on another disk.",
                    short_bytes(*facts.disk_free)));
  }
  return advice;
}

}  // namespace strider::cli
