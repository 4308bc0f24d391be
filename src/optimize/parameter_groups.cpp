#include "optimize/parameter_groups.h"

namespace strider {

std::vector<ParameterGroup> trainer_groups(const ParameterLayout& layout, const RuleSettings& rule,
                                           double weight_decay) {
  ParameterGroup decayed{.rule = rule, .weight_decay = weight_decay};
  ParameterGroup others{.rule = rule};
  for (std::size_t tensor = 0; tensor < layout.tensors().size(); ++tensor) {
    (layout.tensors()[tensor].decays ? decayed : others).tensors.push_back(tensor);
  }
  return {decayed, others};
}

}  // namespace strider
