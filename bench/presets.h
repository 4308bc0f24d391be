#pragma once
// The presets of configs/ at the default vocabulary, as the benchmarks name them.
#include <array>
#include <cstdint>

#include "model/config.h"

namespace strider::bench {

struct Preset {
  const char* name;
  std::int64_t hidden_size, num_hidden_layers, num_attention_heads, intermediate_size;

  LlamaConfig config(std::int64_t vocab_size = 1200) const {
    LlamaConfig config;
    config.vocab_size = vocab_size;
    config.hidden_size = hidden_size;
    config.intermediate_size = intermediate_size;
    config.num_hidden_layers = num_hidden_layers;
    config.num_attention_heads = num_attention_heads;
    config.num_key_value_heads = num_attention_heads;
    config.head_dim = hidden_size / num_attention_heads;
    return config;
  }
};

inline constexpr std::array<Preset, 4> kPresets = {{
    {"400K", 64, 6, 4, 256},
    {"2M", 128, 8, 8, 512},
    {"6M", 256, 6, 8, 1024},
    {"12M", 384, 8, 8, 1536},
}};

}  // namespace strider::bench
