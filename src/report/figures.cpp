#include "report/figures.h"

#include <fmt/format.h>

#include <cmath>

namespace strider {

std::string with_commas(std::int64_t number) {
  const std::string digits = std::to_string(number);
  const std::size_t first = number < 0 ? 1 : 0;
  std::string text;
  for (std::size_t at = 0; at < digits.size(); ++at) {
    if (at > first && (digits.size() - at) % 3 == 0) text.push_back(',');
    text.push_back(digits[at]);
  }
  return text;
}

std::string short_count(double number) {
  if (number < 999.5) return fmt::format("{:.0f}", number);
  if (number < 99'950) return fmt::format("{:.1f}k", number / 1e3);
  if (number < 999'500) return fmt::format("{:.0f}k", number / 1e3);
  if (number < 1e9) return fmt::format("{:.2f}M", number / 1e6);
  return fmt::format("{:.2f}G", number / 1e9);
}

std::string short_bytes(std::uint64_t bytes) {
  const auto number = static_cast<double>(bytes);
  if (number < 1e3) return fmt::format("{} bytes", bytes);
  if (number < 1e6) return fmt::format("{:.1f} kB", number / 1e3);
  if (number < 1e9) return fmt::format("{:.1f} MB", number / 1e6);
  return fmt::format("{:.1f} GB", number / 1e9);
}

std::string short_duration(double seconds) {
  const double rounded = std::round(std::max(0.0, seconds));
  if (rounded < 60) return fmt::format("{:.0f} s", rounded);
  const auto whole = static_cast<std::int64_t>(std::min(rounded, 1e15));
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
  return fmt::format("{} d {:02} h", whole / 86400, whole % 86400 / 3600);
}

std::string short_flops(double flops_per_second) {
  if (flops_per_second < 999.5e9) return fmt::format("{:.0f} GFLOP/s", flops_per_second / 1e9);
  return fmt::format("{:.1f} TFLOP/s", flops_per_second / 1e12);
}

}  // namespace strider
