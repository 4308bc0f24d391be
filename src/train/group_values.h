#pragma once
// A setting that has values of its own for some kinds of tensors: "matrices=0.01 lm_head=0.001".
#include <array>
#include <optional>
#include <string>

#include "base/setting.h"
#include "optimize/parameter_groups.h"

namespace strider {

/// By TensorKind; a kind without a value has that of the setting that all kinds share.
using GroupValues = std::array<std::optional<double>, kTensorKinds>;

/// What a value may be.
struct GroupValueRange {
  SettingRange range;
  bool is_whole = false;
  std::string example = {};  // of one
};

/// Nothing where the text is not such a list, with each kind once at most and every value within the range. Commas or
/// spaces separate. Empty text: no values.
std::optional<GroupValues> parse_group_values(const std::string& text, const GroupValueRange& allowed);
/// In the order of the kinds, with the shortest numbers: the same text for the same values.
std::string group_values_text(const GroupValues& values);

/// Kept in a struct S. It is recorded and compared as its text.
template <typename S>
SettingField<S> group_values(GroupValues S::*field, const GroupValueRange& allowed) {
  return {
      .kind = SettingKind::kText,
      .get = [field](const S& s) { return SettingValue(group_values_text(s.*field)); },
      .set = [field, allowed](
                 S& s, const SettingValue& v) { s.*field = *parse_group_values(std::get<std::string>(v), allowed); },
      .form = "a list such as \"matrices=" + allowed.example +
              "\", with values for embeddings, matrices, lm_head or norms, each " +
              (allowed.is_whole ? "a whole number" : "a number") + range_text(allowed.range),
      .has_form = [allowed](const std::string& text) { return parse_group_values(text, allowed).has_value(); }};
}

}  // namespace strider
