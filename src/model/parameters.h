#pragma once
// The parameters of a Llama: Hugging Face names and shapes, in one flat float32 buffer.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "model/config.h"

namespace strider {

struct ParameterInfo {
  std::string name;  // as in a Hugging Face state dict, e.g. "model.layers.0.self_attn.q_proj.weight"
  std::vector<std::int64_t>
      shape;                  // [out, in] for a linear layer, [vocab, hidden] for the embedding, [hidden] for a norm
  std::int64_t offset = 0;    // in floats, from the start of the flat buffer
  std::int64_t size = 0;      // in floats
  bool decays = false;        // weight decay reaches it: matrices and embeddings, not norms
  bool is_embedding = false;  // embed_tokens or lm_head
};

/// The tensors in the order of transformers' named_parameters(), one after the other without gaps, so that
/// q, k, v of a layer are one [(heads + 2 kv_heads) * head_dim, hidden] matrix, and gate, up one [2 * ffn, hidden].
/// With tied embeddings there is no lm_head.weight.
class ParameterLayout {
 public:
  explicit ParameterLayout(const LlamaConfig& config);

  struct Layer {
    std::int64_t qkv, o, gate_up, down, input_norm, post_norm;  // offsets
  };

  const std::vector<ParameterInfo>& tensors() const { return tensors_; }
  std::int64_t total() const { return total_; }
  std::int64_t non_embedding() const { return non_embedding_; }
  std::int64_t embed_tokens() const { return 0; }
  /// Of the first tensor of layer i; with i = num_hidden_layers of what comes after the last one.
  std::int64_t begin_of_layer(std::int64_t i) const {
    return i < static_cast<std::int64_t>(layers_.size()) ? layers_[i].qkv : final_norm_;
  }
  const Layer& layer(std::int64_t i) const { return layers_[i]; }
  std::int64_t final_norm() const { return final_norm_; }
  std::int64_t lm_head() const { return lm_head_; }  // that of embed_tokens when tied

 private:
  std::vector<ParameterInfo> tensors_;
  std::vector<Layer> layers_;
  std::int64_t total_ = 0;
  std::int64_t non_embedding_ = 0;
  std::int64_t final_norm_ = 0;
  std::int64_t lm_head_ = 0;
};

/// The weights that `torch.manual_seed(seed); LlamaForCausalLM(config)` gives (transformers 4.57.1, CPU), each within
/// 1e-6. `values` has layout.total() floats.
void initialize_parameters(const LlamaConfig& config, const ParameterLayout& layout, std::uint64_t seed,
                           std::span<float> values);

/// Sets o_proj and down_proj of the layers from `first_layer` on to zero, so that each of these begins as the identity.
/// The other weights stay.
void zero_output_projections(const ParameterLayout& layout, std::int64_t first_layer, std::span<float> values);

/// Multiplies embed_tokens.
void scale_embeddings(const ParameterLayout& layout, float scale, std::span<float> values);
/// Multiplies every o_proj and down_proj of the first `layers` layers. With the same scale for the embeddings the
/// residual stream there is multiplied by it, and what norms read of it is the same, up to their epsilon; what later
/// layers add to it weighs the less, the larger the scale is.
void scale_output_projections(const ParameterLayout& layout, std::int64_t layers, float scale, std::span<float> values);

}  // namespace strider
