#include "engine/learning.h"

#include <stdexcept>

namespace strider {

Learning all_learn(const LlamaConfig& config) {
  return {.first_layer = 0, .layers = config.num_hidden_layers, .only_lm_head = false};
}

Learning lm_head_learns(const LlamaConfig& config) {
  return {.first_layer = 0, .layers = config.num_hidden_layers, .only_lm_head = true};
}

void check_learning(const Learning& learning, const LlamaConfig& config) {
  const std::int64_t layers = config.num_hidden_layers;
  if (learning.first_layer < 0 || learning.first_layer > learning.layers || learning.layers > layers) {
    throw std::logic_error("the layers that are to learn are not in the model");
  }
  if (config.tie_word_embeddings && (learning.first_layer > 0 || learning.only_lm_head)) {
    throw std::logic_error("tied embeddings learn with lm_head, since they are it");
  }
}

bool learns(const Learning& learning, const ParameterLayout& layout, std::int64_t offset) {
  if (offset >= layout.lm_head() && layout.lm_head() > layout.embed_tokens()) return true;
  if (learning.only_lm_head) return false;
  if (offset >= layout.final_norm()) return true;
  if (offset < layout.begin_of_layer(0)) return learning.first_layer == 0;
  return offset >= layout.begin_of_layer(learning.first_layer) && offset < layout.begin_of_layer(learning.layers);
}

}  // namespace strider
