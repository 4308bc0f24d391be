#include "train/group_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>
#include <string_view>

namespace strider {
namespace {

std::optional<double> parse_value(std::string_view text, const GroupValueRange& allowed) {
  double value = 0.0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  if (!std::isfinite(value) || !is_within(allowed.range, value)) return std::nullopt;
  if (allowed.is_whole && value != std::floor(value)) return std::nullopt;
  return value;
}

}  // namespace

std::optional<GroupValues> parse_group_values(const std::string& text, const GroupValueRange& allowed) {
  std::string spaced = text;
  std::ranges::replace(spaced, ',', ' ');
  std::istringstream words(spaced);
  GroupValues values;
  for (std::string word; words >> word;) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) return std::nullopt;
    const auto kind = std::ranges::find(kTensorKindNames, std::string_view(word).substr(0, equals));
    const std::optional<double> value = parse_value(std::string_view(word).substr(equals + 1), allowed);
    if (kind == kTensorKindNames.end() || !value) return std::nullopt;
    std::optional<double>& place = values[static_cast<std::size_t>(kind - kTensorKindNames.begin())];
    if (place) return std::nullopt;
    place = value;
  }
  return values;
}

std::string group_values_text(const GroupValues& values) {
  std::string text;
  for (std::size_t kind = 0; kind < kTensorKinds; ++kind) {
    if (!values[kind]) continue;
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", kTensorKindNames[kind], *values[kind]);
  }
  return text;
}

}  // namespace strider
