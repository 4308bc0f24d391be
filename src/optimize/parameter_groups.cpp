#include "optimize/parameter_groups.h"

namespace strider {

TensorKind kind_of(const ParameterLayout& layout, const ParameterInfo& tensor) {
  if (!tensor.decays) return TensorKind::kNorms;
  if (!tensor.is_embedding) return TensorKind::kMatrices;
  return tensor.offset == layout.embed_tokens() ? TensorKind::kEmbeddings : TensorKind::kLmHead;
}

double shared_weight_decay(TensorKind kind, double weight_decay) {
  return kind == TensorKind::kNorms ? 0.0 : weight_decay;
}

std::vector<ParameterGroup> trainer_groups(const ParameterLayout& layout, const RuleSettings& rule,
                                           double weight_decay) {
  std::vector<ParameterGroup> groups;
  for (std::size_t kind = 0; kind < kTensorKinds; ++kind) {
    ParameterGroup& group = groups.emplace_back();
    group.rule = rule;
    const bool is_matrices = static_cast<TensorKind>(kind) == TensorKind::kMatrices;
    if (rule.name == "muon" && !is_matrices) group.rule.name = "adamw";
    group.weight_decay = shared_weight_decay(static_cast<TensorKind>(kind), weight_decay);
  }
  for (std::size_t tensor = 0; tensor < layout.tensors().size(); ++tensor) {
    const auto kind = static_cast<std::size_t>(kind_of(layout, layout.tensors()[tensor]));
    groups[kind].tensors.push_back(tensor);
  }
  return groups;
}

}  // namespace strider
