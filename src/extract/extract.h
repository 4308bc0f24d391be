#pragma once
// LLM-Topo's stage 02b: the representations of every token of a trained model, in the files that its stage 03 reads.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/notices.h"
#include "model/config.h"
#include "model/representation.h"

namespace strider {

struct ExtractSettings {
  std::filesystem::path model_dir;   // config.json, model.safetensors, vocab.json
  std::filesystem::path output_dir;  // made where it is missing
  std::vector<std::string> representations = {"after_block"};
  bool overwrite = false;
  int threads = 1;
};

/// What will be done, known before any weight is read.
struct ExtractPlan {
  ExtractSettings settings;
  LlamaConfig config;
  std::int64_t parameters = 0;
  std::vector<std::int32_t> token_ids;  // ascending: row r of every array is token_ids[r]
  std::vector<Representation> asked;
  std::vector<TokenArray> arrays;  // in the order of the file
  std::uint64_t array_bytes = 0;   // all arrays together
  std::uint64_t memory_bytes = 0;  // what extract() will take
};

/// Checks the settings and reads the model's configuration and vocabulary. Throws Error: unknown representation type,
/// no such model folder, a configuration or vocabulary that cannot be, an id outside the model's vocabulary, or an
/// output that exists already without `overwrite`.
ExtractPlan plan_extraction(const ExtractSettings& settings);

struct ExtractSeconds {
  double load = 0.0;     // reading and packing the weights
  double forward = 0.0;  // arithmetic
  double total = 0.0;    // all of it, files included
  Notices notices;       // what the filesystem could not do for the files
};

/// Computes and writes token_representations.npz (float32 [tokens, width] each), token_metadata.json,
/// extraction_summary.json and representation_info.json. They appear together when all are whole; other files in the
/// folder stay. The same bytes for any number of threads. `on_array` is told of each array when it has been computed.
/// Throws Error: weights that do not fit the configuration, no permission, no space.
ExtractSeconds extract(const ExtractPlan& plan, const std::function<void(const TokenArray&)>& on_array);

}  // namespace strider
