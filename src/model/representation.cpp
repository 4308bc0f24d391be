#include "model/representation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.h"

namespace strider {
namespace {

constexpr std::array<RepresentationType, 5> kTypes{{
    {Representation::kAfterAttention, "after_attention", "output of self-attention, before the residual add"},
    {Representation::kFfnGate, "ffn_gate", "output of the gate projection, before the activation"},
    {Representation::kFfnUp, "ffn_up", "output of the up projection"},
    {Representation::kAfterBlock, "after_block", "output of the block, both residual adds included"},
    {Representation::kResidualBefore, "residual_before", "residual stream that enters the block"},
}};

std::string type_names() {
  std::string names;
  for (const RepresentationType& type : kTypes) {
    if (!names.empty()) names += ", ";
    names += type.name;
  }
  return names;
}

Representation parse_one(std::string_view word) {
  for (const RepresentationType& type : kTypes) {
    if (type.name == word) return type.what;
  }
  throw Error(fmt::format("Unknown representation type \"{}\"", word),
              {.file = {}, .place = {}, .advice = fmt::format("Choose from {}.", type_names())});
}

}  // namespace

std::span<const RepresentationType> representation_types() {
  return kTypes;
}

std::vector<std::string> representation_type_names() {
  std::vector<std::string> names;
  for (const RepresentationType& type : representation_types()) names.emplace_back(type.name);
  return names;
}

const RepresentationType& representation_type(Representation what) {
  return kTypes.at(static_cast<std::size_t>(what));
}

std::vector<Representation> parse_representations(std::span<const std::string> words) {
  constexpr std::string_view kSeparators = ", \t\n";
  std::vector<Representation> asked;
  for (const std::string_view word : words) {
    for (std::size_t at = word.find_first_not_of(kSeparators); at != std::string_view::npos;) {
      const std::size_t end = std::min(word.find_first_of(kSeparators, at), word.size());
      const Representation what = parse_one(word.substr(at, end - at));
      if (std::ranges::find(asked, what) == asked.end()) asked.push_back(what);
      at = word.find_first_not_of(kSeparators, end);
    }
  }
  if (asked.empty()) {
    throw Error("No representation type is given",
                {.file = {}, .place = {}, .advice = fmt::format("Choose from {}.", type_names())});
  }
  return asked;
}

std::vector<TokenArray> list_token_arrays(const LlamaConfig& config, std::span<const Representation> asked) {
  std::vector<TokenArray> arrays;
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    for (const RepresentationType& type : kTypes) {
      if (std::ranges::find(asked, type.what) == asked.end()) continue;
      const bool ffn = type.what == Representation::kFfnGate || type.what == Representation::kFfnUp;
      arrays.push_back({fmt::format("layer_{}_{}", layer, type.name), type.what, layer,
                        ffn ? config.intermediate_size : config.hidden_size});
    }
  }
  arrays.push_back({"input_embeds", Representation::kInputEmbeds, 0, config.hidden_size});
  arrays.push_back({"final_hidden", Representation::kFinalHidden, config.num_hidden_layers, config.hidden_size});
  return arrays;
}

}  // namespace strider
