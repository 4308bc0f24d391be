// The registered rules.
#include <fmt/format.h>

#include <array>

#include "base/error.h"
#include "engine/cpu/rules/update_rule.h"
#include "engine/engine.h"

namespace strider {
namespace {

struct Entry {
  std::string_view name;
  std::unique_ptr<UpdateRule> (*make)(const RuleSettings&);
};

constexpr std::array kRules = {
    Entry{"adamw", make_adamw},
    Entry{"sgd", make_sgd},
    Entry{"muon", make_muon},
};

}  // namespace

std::unique_ptr<UpdateRule> make_update_rule(const RuleSettings& settings) {
  for (const Entry& entry : kRules) {
    if (entry.name == settings.name) return entry.make(settings);
  }
  std::string names;
  for (const Entry& entry : kRules) names += fmt::format("{}{}", names.empty() ? "" : ", ", entry.name);
  throw Error(fmt::format("there is no optimizer \"{}\"", settings.name),
              {.file = {}, .place = {}, .advice = fmt::format("Choose from {}.", names)});
}

std::vector<std::string_view> update_rule_names() {
  std::vector<std::string_view> names;
  for (const Entry& entry : kRules) names.push_back(entry.name);
  return names;
}

}  // namespace strider
