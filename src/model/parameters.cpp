#include "model/parameters.h"

namespace strider {

ParameterLayout::ParameterLayout(const LlamaConfig& config) {
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t ffn = config.intermediate_size;
  const std::int64_t q_width = config.num_attention_heads * config.head_dim;
  const std::int64_t kv_width = config.num_key_value_heads * config.head_dim;
  auto add = [this](std::string name, std::vector<std::int64_t> shape, bool is_embedding = false) {
    ParameterInfo info;
    info.name = std::move(name);
    info.size = 1;
    for (const std::int64_t size : shape) info.size *= size;
    info.decays = shape.size() > 1;
    info.shape = std::move(shape);
    info.offset = total_;
    info.is_embedding = is_embedding;
    total_ += info.size;
    if (!is_embedding) non_embedding_ += info.size;
    tensors_.push_back(std::move(info));
    return tensors_.back().offset;
  };
  add("model.embed_tokens.weight", {config.vocab_size, hidden}, true);
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    Layer layer{};
    layer.qkv = add(prefix + "self_attn.q_proj.weight", {q_width, hidden});
    add(prefix + "self_attn.k_proj.weight", {kv_width, hidden});
    add(prefix + "self_attn.v_proj.weight", {kv_width, hidden});
    layer.o = add(prefix + "self_attn.o_proj.weight", {hidden, q_width});
    layer.gate_up = add(prefix + "mlp.gate_proj.weight", {ffn, hidden});
    add(prefix + "mlp.up_proj.weight", {ffn, hidden});
    layer.down = add(prefix + "mlp.down_proj.weight", {hidden, ffn});
    layer.input_norm = add(prefix + "input_layernorm.weight", {hidden});
    layer.post_norm = add(prefix + "post_attention_layernorm.weight", {hidden});
    layers_.push_back(layer);
  }
  final_norm_ = add("model.norm.weight", {hidden});
  lm_head_ = config.tie_word_embeddings ? embed_tokens() : add("lm_head.weight", {config.vocab_size, hidden}, true);
}

}  // namespace strider
