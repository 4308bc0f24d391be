#include "base/setting.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>
#include <system_error>

#include "base/error.h"

namespace strider {
namespace {

[[noreturn]] void refuse(const SettingFacts& facts, const std::string& given) {
  throw Error(
      fmt::format("--{} ({}) is {}, it must be {}", facts.option, facts.variable, given, allowed_values(facts)));
}

// Limits are mostly whole: 1000000000 and not 1e+09.
std::string limit_text(double limit) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (std::abs(limit) < kExact && limit == std::floor(limit)) {
    return fmt::format("{}", static_cast<std::int64_t>(limit));
  }
  return fmt::format("{}", limit);
}

bool is_allowed(const SettingFacts& facts, const SettingValue& value) {
  if (std::holds_alternative<bool>(value)) return true;
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (facts.kind == SettingKind::kText) return !facts.has_form || facts.has_form(*text);
    return std::ranges::any_of(facts.words, [&](const auto& word) { return word.first == *text; });
  }
  // A word may mean a number that is out of the range.
  if (std::ranges::any_of(facts.words, [&](const auto& word) { return word.second == value; })) return true;
  if (const auto* number = std::get_if<double>(&value))
    return std::isfinite(*number) && is_within(facts.range, *number);
  if (const auto* number = std::get_if<std::uint64_t>(&value))
    return is_within(facts.range, static_cast<double>(*number));
  return is_within(facts.range, static_cast<double>(std::get<std::int64_t>(value)));
}

template <typename T>
std::optional<SettingValue> parse_number(const std::string& text) {
  T value{};
  const char* const begin = text.data() + (text.starts_with('+') ? 1 : 0);
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(begin, end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return value;
}

std::optional<SettingValue> parse(const SettingFacts& facts, const std::string& text) {
  for (const auto& [word, value] : facts.words) {
    if (word == text) return value;
  }
  switch (facts.kind) {
    case SettingKind::kWhole:
      return parse_number<std::int64_t>(text);
    case SettingKind::kUnsigned:
      return parse_number<std::uint64_t>(text);
    case SettingKind::kReal:
      return parse_number<double>(text);
    case SettingKind::kSwitch:
      if (text == "true" || text == "false") return text == "true";
      return std::nullopt;
    case SettingKind::kText:
      return text;
    case SettingKind::kWord:
      return std::nullopt;
  }
  return std::nullopt;
}

std::string plain_text(const SettingValue& value) {
  return std::visit([](const auto& held) { return fmt::format("{}", held); }, value);
}

}  // namespace

std::string range_text(const SettingRange& range) {
  const bool has_least = std::isfinite(range.least);
  std::string text;
  if (has_least)
    text += (range.without_least         ? " above "
             : std::isfinite(range.most) ? " from "
                                         : " of at least ") +
            limit_text(range.least);
  if (!std::isfinite(range.most)) return text;
  const std::string most = (range.without_most ? "below " : "") + limit_text(range.most);
  if (!has_least || range.without_least) {
    return text + (has_least ? " and" : "") + (range.without_most ? " " : " at most ") + most;
  }
  return text + " to " + most;
}

bool is_within(const SettingRange& range, double value) {
  return (range.without_least ? value > range.least : value >= range.least) &&
         (range.without_most ? value < range.most : value <= range.most);
}

SettingValue parse_setting(const SettingFacts& facts, const std::string& text) {
  const std::optional<SettingValue> value = parse(facts, text);
  if (!value) refuse(facts, '"' + text + '"');
  check_setting(facts, *value);
  return *value;
}

void check_setting(const SettingFacts& facts, const SettingValue& value) {
  if (!is_allowed(facts, value)) {
    refuse(facts, std::holds_alternative<std::string>(value) ? '"' + plain_text(value) + '"' : plain_text(value));
  }
}

std::string setting_text(const SettingFacts& facts, const SettingValue& value) {
  for (const auto& [word, meaning] : facts.words) {
    if (meaning == value) return word;
  }
  return plain_text(value);
}

std::string allowed_values(const SettingFacts& facts) {
  std::vector<std::string> words;
  for (const auto& [word, value] : facts.words) words.push_back(word);
  switch (facts.kind) {
    case SettingKind::kSwitch:
      return "true or false";
    case SettingKind::kText:
      return facts.form.empty() ? "any text" : facts.form;
    case SettingKind::kWord:
      return fmt::format("one of {}", fmt::join(words, ", "));
    case SettingKind::kReal:
      words.insert(words.begin(), "a number" + range_text(facts.range));
      break;
    case SettingKind::kWhole:
      words.insert(words.begin(), "a whole number" + range_text(facts.range));
      break;
    case SettingKind::kUnsigned: {
      SettingRange range = facts.range;
      range.least = std::max(range.least, 0.0);
      words.insert(words.begin(), "a whole number" + range_text(range));
    }
  }
  return fmt::format("{}", fmt::join(words, ", or "));
}

}  // namespace strider
