#pragma once
// The options of a command from its table of settings. The numbered scripts pass their variables on as options, so an
// error names both, and is an input error (exit code 1), not wrong usage.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "base/setting.h"
#include "cli/value_type.h"

namespace strider::cli {

/// Both spellings of an option: "--max_steps,--max-steps".
inline std::string option_names(const std::string& option) {
  std::string dashed = option;
  std::ranges::replace(dashed, '_', '-');
  return dashed == option ? "--" + option : "--" + option + ",--" + dashed;
}

/// An option for each setting of the table, into `place`, which outlives the command. Help shows them as
///   --batch_size,--batch-size BATCH_SIZE [50]   Walks per micro-batch
/// and its type name (value_type.h), which help does not show, says what completion offers for the value.
/// A `place` that has a set `given` finds there the options that were given.
template <typename S>
void add_settings(CLI::App& command, const std::vector<Setting<S>>& table, S& place) {
  for (const Setting<S>& setting : table) {
    const SettingFacts& facts = setting.facts();
    const bool is_switch = facts.kind == SettingKind::kSwitch;
    CLI::Option* const option = command.add_option_function<std::string>(
        option_names(facts.option),
        [setting, is_switch, &place](const std::string& text) {
          setting.read(place, is_switch && text.empty() ? "true" : text);
          if constexpr (requires { place.given; }) place.given.insert(setting.facts().option);
        },
        facts.help);
    if (is_switch) option->expected(0, 1);
    if (facts.is_required) option->required();
    const std::string usual = setting_text(facts, setting.value(place));
    option->option_text(facts.variable + (facts.is_required ? " REQUIRED" : usual.empty() ? "" : " [" + usual + "]"));
    option->type_name(value_type(facts));
  }
}

}  // namespace strider::cli
