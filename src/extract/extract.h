#pragma once
// LLM-Topo's stage 02b: the representations of every token of a trained model, in the files that its stage 03 reads.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/id_ranges.h"
#include "base/notices.h"
#include "extract/fingerprint.h"
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

/// What the output folder holds before.
enum class EarlierOutput {
  kNone,        // or what `overwrite` replaces
  kComplete,    // every type that is asked for, of the same weights: nothing is left to do
  kLacksTypes,  // some types, of the same weights: the others are added
  kOther,       // of another model, without a fingerprint, or damaged: only `overwrite` replaces it
};

/// What will be done, known before anything is computed.
struct ExtractPlan {
  ExtractSettings settings;
  LlamaConfig config;
  std::int64_t parameters = 0;
  std::vector<std::int32_t> token_ids;   // ascending: row r of every array is token_ids[r]
  std::vector<std::string> token_texts;  // of each of them
  std::vector<IdRange> never_seen;       // ids that training never saw, as far as the model says
  EarlierOutput earlier = EarlierOutput::kNone;
  std::string mismatch;               // kOther: why, for a person
  ModelFingerprint fingerprint;       // kComplete and kLacksTypes: of the model that was read
  std::vector<Representation> asked;  // those that the output will have: kLacksTypes: with those that it had
  std::vector<TokenArray> arrays;     // in the order of the file
  std::vector<TokenArray> computed;   // those of them that are not there yet
  std::uint64_t array_bytes = 0;      // all arrays together
  std::uint64_t memory_bytes = 0;     // what extract() will take, the program included
};

/// Removes what killed extractions left of this output, checks the settings and reads the model's configuration and
/// vocabulary, and where the output exists already its weights too. Throws Error: unknown representation type, no such
/// model folder, a configuration or vocabulary that cannot be, an id outside the model's vocabulary, or an output that
/// is no folder.
ExtractPlan plan_extraction(const ExtractSettings& settings);

/// Throws Error when it takes more than `available` bytes, with what would fit.
void check_extraction_memory(const ExtractPlan& plan, std::uint64_t available);

struct ExtractSeconds {
  double load = 0.0;     // reading and packing the weights
  double forward = 0.0;  // arithmetic
  double total = 0.0;    // all of it, files included
  Notices notices;       // what the filesystem could not do for the files
};

/// Computes and writes token_representations.npz (float32 [tokens, width] each), token_metadata.json,
/// extraction_summary.json and representation_info.json. They appear together when all are whole; other files in the
/// folder stay. The same bytes for any number of threads, and whether types came at once or were added. Does nothing
/// when all is there. `on_array` is called with each array when it has been computed or copied. Throws Error: an
/// output of another model, weights that do not fit the configuration, no permission, no space.
ExtractSeconds extract(const ExtractPlan& plan, const std::function<void(const TokenArray&)>& on_array);

}  // namespace strider
