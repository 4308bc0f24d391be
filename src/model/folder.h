#pragma once
// A model folder: config.json, model.safetensors, generation_config.json and the tokenizer's files.
#include <filesystem>
#include <span>

#include "model/companions.h"
#include "model/config.h"
#include "model/parameters.h"

namespace strider {

/// Whether lm_head.weight may be missing: whoever only looks at token states never reads it.
enum class Head { kNeeded, kOptional };

/// Reads the weights of a folder (weight_files.h; float32, float64, bfloat16 or float16 tensors, as float32) into
/// `values` (layout.total() floats; zeros for a head that is optional and missing). Throws Error when a tensor is
/// missing, unknown, or has another shape or type than the layout asks for.
void read_weights(const std::filesystem::path& folder, const ParameterLayout& layout, std::span<float> values,
                  Head head = Head::kNeeded);

/// Writes model.safetensors (float32, metadata {"format": "pt"}), config.json and generation_config.json into `folder`,
/// which exists.
void write_model(const std::filesystem::path& folder, const LlamaConfig& config, const ParameterLayout& layout,
                 std::span<const float> values);

/// Writes vocab.json, tokenizer.json, tokenizer_config.json and special_tokens_map.json: a tokenizer of the ids
/// "0".."vocab_size-1" that splits on spaces. transformers' AutoTokenizer opens it; it adds no special tokens, and a
/// word that is no such id is an error there.
void write_tokenizer(const std::filesystem::path& folder, std::int64_t vocab_size);

/// The files of such a tokenizer for another vocabulary: `vocab` is the text of a JSON object {token: id}.
std::vector<FolderFile> tokenizer_files(const std::string& vocab);

/// The ids of a model folder's vocabulary in ascending order, from vocab.json; 0..vocab_size-1 where there is no such
/// file. Throws Error when it is empty, or an id is no whole number in [0, vocab_size) or belongs to two tokens.
/// `texts` are the tokens themselves, in the same order; the ids as text where there is no such file.
std::vector<std::int64_t> read_token_ids(const std::filesystem::path& folder, std::int64_t vocab_size,
                                         std::vector<std::string>* texts = nullptr);

/// The same of what will lie in a model folder.
std::vector<std::int64_t> read_token_ids(const ModelCompanions& companions, std::int64_t vocab_size,
                                         std::vector<std::string>* texts = nullptr);

}  // namespace strider
