// The order of draws of `LlamaForCausalLM(config)` in transformers 4.57.1: every module draws its torch default when it
// is made (an embedding normal_, a linear layer kaiming_uniform_), in the order of the constructors; then LlamaModel
// draws all of its weights again, and last lm_head, made after LlamaModel, is drawn twice the same way.
#include "base/random/mt19937.h"
#include "model/parameters.h"

namespace strider {

void initialize_parameters(const LlamaConfig& config, const ParameterLayout& layout, std::uint64_t seed,
                           std::span<float> values) {
  TorchGenerator generator(seed);
  auto part = [&](const ParameterInfo& tensor) {
    return values.subspan(static_cast<std::size_t>(tensor.offset), static_cast<std::size_t>(tensor.size));
  };
  auto is_head = [&](const ParameterInfo& tensor) {
    return tensor.is_embedding && tensor.offset != layout.embed_tokens();
  };
  for (const ParameterInfo& tensor : layout.tensors()) {
    if (is_head(tensor) || !tensor.decays) continue;
    if (tensor.is_embedding) {
      generator.skip_normal(static_cast<std::uint64_t>(tensor.size));
    } else {
      generator.skip_uniform(static_cast<std::uint64_t>(tensor.size));
    }
  }
  for (const ParameterInfo& tensor : layout.tensors()) {
    if (is_head(tensor)) generator.skip_uniform(static_cast<std::uint64_t>(tensor.size));
    for (float& value : part(tensor)) value = 1.0F;
    if (tensor.decays) generator.normal(part(tensor), 0.0, config.initializer_range);
  }
}

}  // namespace strider
