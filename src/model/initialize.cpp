// The order of draws of `LlamaForCausalLM(config)` in transformers 4.57.1: every module draws its torch default when it
// is made (an embedding normal_, a linear layer kaiming_uniform_), in the order of the constructors; then LlamaModel
// draws all of its weights again, and last lm_head, made after LlamaModel, is drawn twice the same way. The embedding
// of a padding token is set to zero.
#include <algorithm>

#include "base/random/mt19937.h"
#include "model/parameters.h"

namespace strider {
namespace {

bool is_head(const ParameterLayout& layout, const ParameterInfo& tensor) {
  return tensor.is_embedding && tensor.offset != layout.embed_tokens();
}

void skip_constructors(const ParameterLayout& layout, TorchGenerator& generator) {
  for (const ParameterInfo& tensor : layout.tensors()) {
    if (is_head(layout, tensor) || !tensor.decays) continue;
    if (tensor.is_embedding) {
      generator.skip_normal(static_cast<std::uint64_t>(tensor.size));
    } else {
      generator.skip_uniform(static_cast<std::uint64_t>(tensor.size));
    }
  }
}

}  // namespace

void initialize_parameters(const LlamaConfig& config, const ParameterLayout& layout, std::uint64_t seed,
                           std::span<float> values) {
  TorchGenerator generator(seed);
  skip_constructors(layout, generator);
  for (const ParameterInfo& tensor : layout.tensors()) {
    const std::span<float> part = values.subspan(tensor.offset, static_cast<std::size_t>(tensor.size));
    if (!tensor.decays) {
      std::ranges::fill(part, 1.0F);
      continue;
    }
    if (is_head(layout, tensor)) generator.skip_uniform(static_cast<std::uint64_t>(tensor.size));
    generator.normal(part, 0.0, config.initializer_range);
  }
  if (config.pad_token_id) {
    const std::int64_t row = layout.embed_tokens() + *config.pad_token_id * config.hidden_size;
    std::ranges::fill(values.subspan(row, static_cast<std::size_t>(config.hidden_size)), 0.0F);
  }
}

namespace {

// Calls take(values of the tensor) for every o_proj and down_proj at [begin, end) of the parameters.
template <typename Take>
void for_output_projections(const ParameterLayout& layout, std::int64_t begin, std::int64_t end,
                            std::span<float> values, const Take& take) {
  for (const ParameterInfo& tensor : layout.tensors()) {
    if (tensor.offset < begin || tensor.offset >= end) continue;
    const bool is_output = tensor.name.ends_with(".o_proj.weight") || tensor.name.ends_with(".down_proj.weight");
    if (!is_output) continue;
    take(values.subspan(static_cast<std::size_t>(tensor.offset), static_cast<std::size_t>(tensor.size)));
  }
}

void multiply(std::span<float> values, float scale) {
  for (float& value : values) value *= scale;
}

}  // namespace

void zero_output_projections(const ParameterLayout& layout, std::int64_t first_layer, std::span<float> values) {
  for_output_projections(layout, layout.begin_of_layer(first_layer), layout.final_norm(), values,
                         [](std::span<float> tensor) { std::ranges::fill(tensor, 0.0F); });
}

void scale_embeddings(const ParameterLayout& layout, float scale, std::span<float> values) {
  const ParameterInfo& embeddings = layout.tensors().front();
  multiply(values.subspan(static_cast<std::size_t>(embeddings.offset), static_cast<std::size_t>(embeddings.size)),
           scale);
}

void scale_output_projections(const ParameterLayout& layout, std::int64_t layers, float scale,
                              std::span<float> values) {
  for_output_projections(layout, layout.begin_of_layer(0), layout.begin_of_layer(layers), values,
                         [scale](std::span<float> tensor) { multiply(tensor, scale); });
}

}  // namespace strider
