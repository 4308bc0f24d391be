#pragma once
// LLM-Topo's stage 02b: the representations of every token of a trained model, in the files that its stage 03 reads.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/id_ranges.h"
#include "base/notices.h"
#include "communicator/communicator.h"
#include "engine/device.h"
#include "engine/precision.h"
#include "extract/fingerprint.h"
#include "model/config.h"
#include "model/representation.h"

namespace strider {

struct Contexts;

struct ExtractSettings {
  std::filesystem::path model_dir;   // config.json, model.safetensors, vocab.json
  std::filesystem::path output_dir;  // made where it is missing
  std::vector<std::string> representations = {"after_block"};
  bool overwrite = false;
  int threads = 1;
  std::int64_t upsample = 0;  // places of each token in the training walks, whose mean is taken; 0: each token alone
  std::uint64_t upsample_seed = 42;
  bool upsample_raw = true;                   // the single vectors as well
  Precision precision = Precision::kFloat32;  // operands of matrix products
  Device device = Device::kCpu;               // the GPU pays where tokens are taken in context
  std::filesystem::path dataset_dir = {};     // with the training walks, where upsample is not 0
  Communicator* ranks =
      nullptr;  // those that share the walks of tokens in context with this process; null: it is alone
};

/// What the output folder holds before.
enum class EarlierOutput {
  kNone,        // or what `overwrite` replaces
  kComplete,    // every type that is asked for, of the same weights: nothing is left to do
  kLacksTypes,  // some types, or no single vectors, of the same weights: the others are added
  kOther,       // of another model, without a fingerprint, or damaged: only `overwrite` replaces it
};

/// What will be done, known before anything is computed.
struct ExtractPlan {
  ExtractSettings settings;
  Device device = Device::kCpu;  // kCpu or kCuda
  std::string device_notice;     // which and why, where the settings leave the choice
  LlamaConfig config;
  std::int64_t parameters = 0;
  std::vector<std::int32_t> token_ids;   // ascending: row r of every array is token_ids[r]
  std::vector<std::string> token_texts;  // of each of them
  std::vector<IdRange> never_seen;       // ids that training never saw, as far as the model says
  EarlierOutput earlier = EarlierOutput::kNone;
  std::string mismatch;                      // kOther: why, for a person
  ModelFingerprint fingerprint;              // kComplete and kLacksTypes: of the model that was read
  std::vector<Representation> asked;         // those that the output will have: kLacksTypes: with those that it had
  std::vector<TokenArray> arrays;            // in the order of the file
  std::vector<TokenArray> computed;          // those of them that are not there yet
  std::shared_ptr<const Contexts> contexts;  // where tokens are taken in context; null: alone
  bool keeps_raw = false;                    // whether the output will have the single vectors
  std::uint64_t array_bytes = 0;             // all arrays together
  std::uint64_t raw_bytes = 0;               // all single vectors together
  std::uint64_t memory_bytes = 0;            // what extract() will take, the program included
};

/// Who is told how far it got; both functions are set.
struct ExtractListener {
  std::function<void(const TokenArray&)> on_array = [](const TokenArray&) {};  // has been computed or copied
  std::function<void(std::int64_t done)> on_walks = [](std::int64_t) {};       // walks that went through the model
};

/// Removes what killed extractions left of this output, checks the settings and reads the model's configuration and
/// vocabulary, where the output exists already its weights too, and where tokens are taken in context all training
/// walks. Throws Error: unknown representation type, no such
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

/// Computes and writes token_representations.npz (float32 [tokens, width] each), in context also
/// token_representations_upsampled_raw.npz ([tokens, N, width] each), token_metadata.json, extraction_summary.json and
/// representation_info.json. They appear together when all are whole; other files in the folder stay. The same bytes
/// for any number of threads, and whether types came at once or were added. Does nothing when all is there. Throws
/// Error: an output of another model, weights that do not fit the configuration, no permission, no space.
ExtractSeconds extract(const ExtractPlan& plan, const ExtractListener& listener);

}  // namespace strider
