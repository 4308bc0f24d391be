#pragma once
// The representations that can be taken from a model, under the names of LLM-Topo's stage 02b.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/config.h"

namespace strider {

/// In the order of a layer's arrays in the file, which is that in which the reference's hooks are called.
enum class Representation {
  kAfterAttention,  // output of self-attention, after o_proj, before the residual add
  kFfnGate,         // output of gate_proj, before the activation
  kFfnUp,           // output of up_proj
  kAfterBlock,      // output of the block, with both residual adds
  kResidualBefore,  // input of the block
  kInputEmbeds,     // the embedding; always taken
  kFinalHidden,     // output of the final norm; always taken
};

struct RepresentationType {
  Representation what;
  std::string_view name;   // as the user writes it and as it is in an array's name
  std::string_view where;  // for a person
};

/// The five types that a user may ask for.
std::span<const RepresentationType> representation_types();
std::vector<std::string> representation_type_names();
const RepresentationType& representation_type(Representation what);  // one of the five

/// Types from what the user wrote: a name, or several with commas, in each entry. Keeps the order, drops repeats.
/// Throws Error with the list of types for an unknown name or when nothing is asked for.
std::vector<Representation> parse_representations(std::span<const std::string> words);

/// One array of the file: float32 [tokens, width].
struct TokenArray {
  std::string name;  // "layer_{i}_{type}", "input_embeds" or "final_hidden"
  Representation what;
  std::int64_t layer = 0;  // 0 for input_embeds, num_hidden_layers for final_hidden
  std::int64_t width = 0;  // intermediate_size for gate and up, else hidden_size
};

/// All arrays in the order of the file: layer by layer what was asked for, then input_embeds and final_hidden.
std::vector<TokenArray> list_token_arrays(const LlamaConfig& config, std::span<const Representation> asked);

}  // namespace strider
