#pragma once
// Which tensors a step trains. In the order of the forward pass a model has embed_tokens, its layers, the final norm
// and lm_head. An engine leaves out what only the others would need of it.
#include <cstdint>

#include "model/config.h"
#include "model/parameters.h"

namespace strider {

/// What is left alone keeps its weights and its optimizer state, whatever its learning rate and weight decay, and its
/// gradient is zero.
struct Learning {
  /// Above 0: embed_tokens and the layers below this one are left alone, and need no backward pass.
  std::int64_t first_layer = 0;
  /// The layers from this one on are left alone, and out of the forward pass as well: only for a model in which they
  /// add nothing (zero_output_projections()).
  std::int64_t layers = 0;
  /// lm_head learns alone; the other two fields say that all layers are there.
  bool only_lm_head = false;

  auto operator<=>(const Learning&) const = default;
};

Learning all_learn(const LlamaConfig& config);
Learning lm_head_learns(const LlamaConfig& config);

/// Throws std::logic_error for layers that the model does not have, and where the embeddings are left alone which
/// lm_head is tied to.
void check_learning(const Learning& learning, const LlamaConfig& config);

/// Whether the tensor learns that has the parameter at `offset`.
bool learns(const Learning& learning, const ParameterLayout& layout, std::int64_t offset);

}  // namespace strider
