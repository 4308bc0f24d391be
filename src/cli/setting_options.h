#pragma once
// Options whose values the numbered scripts pass on from their variables: an error names both, and is an input error
// (exit code 1) and not wrong usage.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"

namespace strider::cli {

class SettingOptions {
 public:
  explicit SettingOptions(CLI::App& command) : command_(command) {}

  template <typename T>
  void number(const std::string& option, const std::string& variable, T& place, const std::string& help,
              bool* is_set = nullptr) {
    needed_number(option, variable, place, help, is_set)->required(false)->default_str(fmt::format("{}", place));
  }

  /// One without a default.
  template <typename T>
  CLI::Option* needed_number(const std::string& option, const std::string& variable, T& place, const std::string& help,
                             bool* is_set = nullptr) {
    return text(option, help,
                [option, variable, &place, is_set](const std::string& value) {
                  place = parse<T>(option, variable, value);
                  if (is_set != nullptr) *is_set = true;
                })
        ->required();
  }

  /// A number, or a word that stands for one.
  template <typename T>
  void number_or(const std::string& word, T meaning, const std::string& option, const std::string& variable, T& place,
                 const std::string& help) {
    text(option, help, [=, &place](const std::string& value) {
      place = value == word ? meaning : parse<T>(option, variable, value);
    })->default_str(place == meaning ? word : fmt::format("{}", place));
  }

  template <typename T>
  void choice(const std::string& option, const std::string& variable, const std::vector<std::pair<std::string, T>>& all,
              T& place, const std::string& help) {
    std::string usual, words;
    for (const auto& [name, meaning] : all) {
      if (meaning == place && usual.empty()) usual = name;
      words += (words.empty() ? "" : ", ") + name;
    }
    text(option, help, [=, &place](const std::string& value) {
      for (const auto& [name, meaning] : all) {
        if (name == value) {
          place = meaning;
          return;
        }
      }
      throw Error(fmt::format("--{} ({}) is \"{}\", it must be one of {}", option, variable, value, words));
    })->default_str(usual);
  }

  /// Without a value: true.
  void flag(const std::string& option, const std::string& variable, bool& place, const std::string& help) {
    text(option, help,
         [=, &place](const std::string& value) {
           if (value != "true" && value != "false" && !value.empty()) {
             throw Error(fmt::format("--{} ({}) is \"{}\", it must be true or false", option, variable, value));
           }
           place = value != "false";
         })
        ->expected(0, 1)
        ->type_name("[true|false]");
  }

  /// Both spellings of an option: "--max_steps,--max-steps".
  static std::string names(const std::string& option) {
    std::string dashed = option;
    std::replace(dashed.begin(), dashed.end(), '_', '-');
    return dashed == option ? "--" + option : "--" + option + ",--" + dashed;
  }

 private:
  template <typename T>
  static T parse(const std::string& option, const std::string& variable, const std::string& text) {
    T value{};
    const char* const begin = text.data() + (text.starts_with('+') ? 1 : 0);
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(begin, end, value);
    if (parsed.ec != std::errc() || parsed.ptr != end) {
      throw Error(fmt::format("--{} ({}) is \"{}\", it must be {}", option, variable, text,
                              std::is_floating_point_v<T> ? "a number"
                              : std::is_unsigned_v<T>     ? "a whole number of at least 0"
                                                          : "a whole number"));
    }
    return value;
  }

  template <typename Store>
  CLI::Option* text(const std::string& option, const std::string& help, Store store) {
    return command_.add_option_function<std::string>(names(option), store, help)->type_name("");
  }

  CLI::App& command_;
};

}  // namespace strider::cli
