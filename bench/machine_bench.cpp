// The two ceilings of this machine: float32 multiply-adds in registers, and bytes moved through memory (a = b + s c
// over arrays far larger than the caches, as STREAM's triad counts them). Prints one JSON object.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/aligned_buffer.h"
#include "base/machine.h"
#include "base/thread_team.h"

namespace {

double measure_bandwidth(int threads) {
  constexpr std::size_t kFloats = 32'000'000;
  strider::AlignedBuffer<float> a(kFloats);
  strider::AlignedBuffer<float> b(kFloats);
  strider::AlignedBuffer<float> c(kFloats);
  strider::ThreadTeam team(threads);
  double best = 0.0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    const auto began = std::chrono::steady_clock::now();
    team.run([&](int member) {
      const std::size_t part = kFloats / static_cast<std::size_t>(threads);
      const std::size_t first = part * static_cast<std::size_t>(member);
      for (std::size_t i = first; i < first + part; ++i) a[i] = b[i] + 0.5F * c[i];
    });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    best = std::max(best, 3.0 * sizeof(float) * static_cast<double>(kFloats) / seconds);
  }
  return a[7] < 1.0F ? best : 0.0;  // uses the result
}

}  // namespace

int main() {
  const int threads = strider::available_processors();
  fmt::print(
      "{{\"processor\": \"{}\", \"vectors\": \"{}\", \"threads\": {}, \"peak_flops_1\": {:.4g}, \"peak_flops\": "
      "{:.4g}, "
      "\"bandwidth_1\": {:.4g}, \"bandwidth\": {:.4g}}}\n",
      strider::processor_name(), strider::vector_instructions(), threads, strider::measure_peak_flops(1),
      strider::measure_peak_flops(threads), measure_bandwidth(1), measure_bandwidth(threads));
  return 0;
}
