#pragma once
// A setting: one row of a table that says everything about a field that users set. From such a table come the options
// of a command with their help (cli/setting_options.h), the checks of what they are given, and for training what a
// checkpoint records and resume compares (train/settings_table.h). So a setting that is in the table is in all of them.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace strider {

/// What a setting holds, without the type of its field: words and paths are strings, int is int64_t.
using SettingValue = std::variant<bool, std::int64_t, std::uint64_t, double, std::string>;

enum class SettingKind {
  kWhole,     // int64_t
  kUnsigned,  // uint64_t
  kReal,      // double, finite
  kWord,      // one of SettingFacts::words
  kSwitch,    // bool: true or false
  kText,      // string: one of SettingFacts::form, or a path or a name, which its user checks
};

/// What a text that names a place is to be, for the shell that completes it.
enum class PathKind { kNone, kFile, kFolder };

/// What a number may be. The ends are limits up to 2^53, which double represents.
struct SettingRange {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
  bool without_least = false, without_most = false;  // whether the end itself is left out
};

/// What a run that goes on from a checkpoint makes of a setting that has another value than before.
enum class OnResume {
  kMayDiffer,       // it changes no result, or only which files are kept: not recorded
  kMustMatch,       // it makes another run: recorded, and a difference is refused
  kMayBeContinued,  // recorded; CONTINUE=true goes on with the other value
};

/// How advice on memory makes a setting smaller, a step at a time.
enum class MemorySaving { kNone, kByOne, kByHalf };

/// A row of the table, but for the field.
struct SettingFacts {
  std::string option;    // --option; also its key where a run records it
  std::string variable;  // of the numbered scripts
  std::string help;
  SettingKind kind = SettingKind::kWhole;
  std::vector<std::pair<std::string, SettingValue>> words = {};  // all of kWord; those that mean a number else
  SettingRange range = {};
  std::string form = {};                                  // of kText: what it must be; empty: anything
  std::function<bool(const std::string&)> has_form = {};  // whether a text is that
  PathKind path = PathKind::kNone;
  OnResume on_resume = OnResume::kMustMatch;
  std::optional<SettingValue> before = {};  // what runs did that were made before the setting existed
  bool is_required = false;
  MemorySaving memory_saving = MemorySaving::kNone;
};

/// Throws Error that names the option, the variable and what is allowed, where the text is no value or out of range.
SettingValue parse_setting(const SettingFacts& facts, const std::string& text);
/// Throws the same for a value that is not allowed.
void check_setting(const SettingFacts& facts, const SettingValue& value);
/// As parse_setting reads it: the word that means the value, where there is one.
std::string setting_text(const SettingFacts& facts, const SettingValue& value);
/// "a whole number from 1 to 4096, or all"
std::string allowed_values(const SettingFacts& facts);

/// Whether a number is in the range.
bool is_within(const SettingRange& range, double value);
/// " from 1 to 4096", " of at least 0"
std::string range_text(const SettingRange& range);

/// Where a setting is kept in a struct S: made of a pointer to its field by settings::number(), choice(), toggle(),
/// text() or path().
template <typename S>
struct SettingField {
  SettingKind kind = SettingKind::kWhole;
  std::function<SettingValue(const S&)> get;
  std::function<void(S&, const SettingValue&)> set;
  std::vector<std::pair<std::string, SettingValue>> words = {};
  SettingRange limits = {};             // of the field's type
  std::function<void(S&)> is_set = {};  // called when the user has given a value
  std::string form = {};                // as SettingFacts have them
  std::function<bool(const std::string&)> has_form = {};
  PathKind path = PathKind::kNone;

  /// `word` is taken for `value`.
  SettingField or_word(std::string word, std::int64_t value) && {
    words.emplace_back(std::move(word), value);
    return std::move(*this);
  }
  /// `mark` becomes true when the user has given a value.
  SettingField marking(bool S::*mark) && {
    is_set = [mark](S& s) { s.*mark = true; };
    return std::move(*this);
  }
};

/// The words that rows are written in: `using namespace settings;` in the function that makes a table.
namespace settings {

inline SettingRange any_value() {
  return {};
}
inline SettingRange at_least(double least) {
  return {.least = least};
}
inline SettingRange between(double least, double most) {
  return {.least = least, .most = most};
}
inline SettingRange above(double least, double most) {
  return {.least = least, .most = most, .without_least = true};
}
inline SettingRange from_to_below(double least, double most) {
  return {.least = least, .most = most, .without_most = true};
}

template <typename S, typename T>
SettingField<S> number(T S::*field) {
  static_assert(std::is_same_v<T, int> || std::is_same_v<T, std::int64_t> || std::is_same_v<T, std::uint64_t> ||
                std::is_same_v<T, double>);
  using Value = std::conditional_t<std::is_same_v<T, int>, std::int64_t, T>;
  SettingField<S> made{.kind = std::is_same_v<T, double>          ? SettingKind::kReal
                               : std::is_same_v<T, std::uint64_t> ? SettingKind::kUnsigned
                                                                  : SettingKind::kWhole,
                       .get = [field](const S& s) { return SettingValue(static_cast<Value>(s.*field)); },
                       .set = [field](S& s, const SettingValue& v) { s.*field = static_cast<T>(std::get<Value>(v)); }};
  if constexpr (std::is_same_v<T, int>) {
    made.limits = between(std::numeric_limits<int>::min(), std::numeric_limits<int>::max());
  }
  return made;
}

/// A double that is recorded as a whole number while it is one.
template <typename S>
SettingField<S> whole_or_fraction(double S::*field) {
  SettingField<S> made = number(field);
  made.get = [field](const S& s) {
    const double value = s.*field;
    constexpr double kExact = 9007199254740992.0;  // 2^53
    const bool is_whole =
        value > -kExact && value < kExact && static_cast<double>(static_cast<std::int64_t>(value)) == value;
    return is_whole ? SettingValue(static_cast<std::int64_t>(value)) : SettingValue(value);
  };
  return made;
}

/// One of several words, each for a value of the field.
template <typename S, typename T>
SettingField<S> choice(T S::*field, const std::vector<std::pair<std::string, std::type_identity_t<T>>>& all) {
  SettingField<S> made{
      .kind = SettingKind::kWord,
      .get =
          [field, all](const S& s) {
            if constexpr (std::is_same_v<T, std::string>) return SettingValue(s.*field);
            const auto found = std::ranges::find(all, s.*field, &std::pair<std::string, T>::second);
            return SettingValue(found == all.end() ? std::string() : found->first);
          },
      .set =
          [field, all](S& s, const SettingValue& v) {
            s.*field = std::ranges::find(all, std::get<std::string>(v), &std::pair<std::string, T>::first)->second;
          }};
  for (const auto& [word, value] : all) made.words.emplace_back(word, word);
  return made;
}

template <typename S>
SettingField<S> toggle(bool S::*field) {
  return {.kind = SettingKind::kSwitch,
          .get = [field](const S& s) { return SettingValue(s.*field); },
          .set = [field](S& s, const SettingValue& v) { s.*field = std::get<bool>(v); }};
}

template <typename S>
SettingField<S> text(std::string S::*field) {
  return {.kind = SettingKind::kText,
          .get = [field](const S& s) { return SettingValue(s.*field); },
          .set = [field](S& s, const SettingValue& v) { s.*field = std::get<std::string>(v); }};
}

/// The place of a file.
template <typename S>
SettingField<S> path(std::filesystem::path S::*field) {
  return {.kind = SettingKind::kText,
          .get = [field](const S& s) { return SettingValue((s.*field).string()); },
          .set = [field](S& s, const SettingValue& v) { s.*field = std::get<std::string>(v); },
          .path = PathKind::kFile};
}

/// Empty text: none.
template <typename S>
SettingField<S> path(std::optional<std::filesystem::path> S::*field) {
  return {.kind = SettingKind::kText,
          .get = [field](const S& s) { return SettingValue((s.*field).value_or("").string()); },
          .set =
              [field](S& s, const SettingValue& v) {
                const auto& text = std::get<std::string>(v);
                s.*field = text.empty() ? std::nullopt : std::optional<std::filesystem::path>(text);
              },
          .path = PathKind::kFile};
}

/// The place of a folder: of what path() takes, or a text.
template <typename S, typename T>
SettingField<S> folder(T S::*field) {
  SettingField<S> made = [&] {
    if constexpr (std::is_same_v<T, std::string>) {
      return text(field);
    } else {
      return path(field);
    }
  }();
  made.path = PathKind::kFolder;
  return made;
}

}  // namespace settings

template <typename S>
class Setting {
 public:
  Setting(const std::string& option, const std::string& variable, SettingField<S> field, SettingRange range,
          OnResume on_resume, const std::string& help)
      : facts_{.option = option,
               .variable = variable,
               .help = help,
               .kind = field.kind,
               .words = field.words,
               .range = range,
               .form = field.form,
               .has_form = field.has_form,
               .path = field.path,
               .on_resume = on_resume},
        field_(std::move(field)) {
    facts_.range.least = std::max(range.least, field_.limits.least);
    facts_.range.most = std::min(range.most, field_.limits.most);
  }

  /// One that no run records.
  Setting(const std::string& option, const std::string& variable, SettingField<S> field, SettingRange range,
          const std::string& help)
      : Setting(option, variable, std::move(field), range, OnResume::kMayDiffer, help) {}

  /// For what is rarely said of a setting.
  Setting required() && {
    facts_.is_required = true;
    return std::move(*this);
  }
  Setting before(SettingValue value) && {
    facts_.before = std::move(value);
    return std::move(*this);
  }
  Setting saves_memory(MemorySaving how) && {
    facts_.memory_saving = how;
    return std::move(*this);
  }

  const SettingFacts& facts() const { return facts_; }
  SettingValue value(const S& s) const { return field_.get(s); }

  /// Throws Error as parse_setting, with nothing changed.
  void read(S& s, const std::string& text) const {
    field_.set(s, parse_setting(facts_, text));
    if (field_.is_set) field_.is_set(s);
  }
  void check(const S& s) const { check_setting(facts_, field_.get(s)); }

  /// The next smaller value of a whole number that saves memory; false when it is the least, or saves none.
  bool reduce(S& s) const {
    if (facts_.memory_saving == MemorySaving::kNone) return false;
    const auto now = std::get<std::int64_t>(field_.get(s));
    const auto least = static_cast<std::int64_t>(facts_.range.least);
    if (now <= least) return false;
    const std::int64_t next = facts_.memory_saving == MemorySaving::kByOne ? now - 1 : now / 2;
    field_.set(s, std::max(least, next));
    return true;
  }

 private:
  SettingFacts facts_;
  SettingField<S> field_;
};

}  // namespace strider
