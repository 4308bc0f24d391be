#pragma once
// Which parameters are updated alike.
#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "engine/optimizer.h"
#include "model/parameters.h"

namespace strider {

/// The kinds of tensors that can have hyperparameters of their own. Tied embeddings have no lm_head.
enum class TensorKind {
  kEmbeddings,  // embed_tokens
  kMatrices,    // inside the blocks: q, k, v, o, gate, up and down
  kLmHead,
  kNorms,
};

inline constexpr std::size_t kTensorKinds = 4;
/// By TensorKind.
inline constexpr std::array<const char*, kTensorKinds> kTensorKindNames = {"embeddings", "matrices", "lm_head",
                                                                           "norms"};

TensorKind kind_of(const ParameterLayout& layout, const ParameterInfo& tensor);

/// Where all kinds share one: weight decay reaches all but norms, as in transformers' Trainer.
double shared_weight_decay(TensorKind kind, double weight_decay);

/// A group for each TensorKind, in their order. `rule` updates all of them, but muon the matrices alone: the others are
/// then updated by adamw. Weight decay is shared_weight_decay().
std::vector<ParameterGroup> trainer_groups(const ParameterLayout& layout, const RuleSettings& rule,
                                           double weight_decay);

}  // namespace strider
