#include "base/whole_number.h"

#include <charconv>
#include <cmath>

namespace strider {

std::optional<std::int64_t> parse_whole_number(std::string_view text) {
  const char* const end = text.data() + text.size();
  std::int64_t number = 0;
  const auto digits = std::from_chars(text.data(), end, number);
  if (digits.ec == std::errc() && digits.ptr == end) return number;
  constexpr double kExact = 9007199254740992.0;  // 2^53: below it every whole number is a double
  double value = 0.0;
  const auto decimal = std::from_chars(text.data(), end, value);
  if (decimal.ec != std::errc() || decimal.ptr != end) return std::nullopt;
  if (!(std::abs(value) < kExact) || value != std::trunc(value)) return std::nullopt;  // also where it is no number
  return static_cast<std::int64_t>(value);
}

}  // namespace strider
