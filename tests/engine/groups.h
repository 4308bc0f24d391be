#pragma once
// Parameter groups for tests that do not care about groups.
#include <numeric>
#include <vector>

#include "engine/optimizer.h"
#include "model/parameters.h"

namespace strider::test {

/// All tensors in one group.
inline std::vector<ParameterGroup> all_alike(const ParameterLayout& layout, const RuleSettings& rule = {}) {
  ParameterGroup group{
      .rule = rule, .weight_decay = 0.01, .tensors = std::vector<std::size_t>(layout.tensors().size())};
  std::iota(group.tensors.begin(), group.tensors.end(), std::size_t{0});
  return {group};
}

}  // namespace strider::test
