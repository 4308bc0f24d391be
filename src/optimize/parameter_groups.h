#pragma once
// Which parameters are updated alike.
#include <vector>

#include "engine/optimizer.h"
#include "model/parameters.h"

namespace strider {

/// The two groups of transformers' Trainer: weight decay reaches matrices and embeddings, not norms. All tensors are
/// updated by `rule`.
std::vector<ParameterGroup> trainer_groups(const ParameterLayout& layout, const RuleSettings& rule,
                                           double weight_decay);

}  // namespace strider
