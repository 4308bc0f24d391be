#pragma once
// representations_by_step/ in a run's folder: the representations of its model at several steps, as training takes them
// (REPRESENTATION_STEPS) or strider extract --checkpoints:
//   step-{step}.npz      float32 [tokens, width] for each array, as token_representations.npz has them
//   token_metadata.json  the token of each row, as beside token_representations.npz
//   index.json           what is there, written after each step's file:
//     version 1
//     representations    the types, such as ["after_block"]
//     fingerprint        {"token_ids", "configuration", "precision"} that all steps have in common
//                        (extract/fingerprint.h)
//     steps              [{"step", "file", "weights"}], ascending; weights is the checksum of the step's model
// A step's file without a line in the index is what a kill left, and is written again.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/id_ranges.h"
#include "base/notices.h"
#include "extract/fingerprint.h"
#include "model/config.h"
#include "model/representation.h"
#include "snapshots/token_vectors.h"

namespace strider {

inline constexpr const char* kStepsFolder = "representations_by_step";

struct StepEntry {
  std::int64_t step = 0;
  std::string file;     // in the folder
  std::string weights;  // "crc32 0123abcd"
};

struct StepIndex {
  std::vector<std::string> representations;
  std::string fingerprint;  // JSON, as in the file; empty while there is no step
  std::vector<StepEntry> steps;
};

/// Nothing where the folder has no index. Throws Error where it is damaged.
std::optional<StepIndex> read_step_index(const std::filesystem::path& folder);

/// A model at a step, and its vocabulary.
struct ModelAtStep {
  std::int64_t step = 0;
  const LlamaConfig& config;
  std::span<const std::int32_t> token_ids;   // ascending: row r is token_ids[r]
  std::span<const std::string> token_texts;  // of each of them
  const std::vector<IdRange>& never_seen;
  std::span<const float> parameters;  // in the order of ParameterLayout(config)
};

class StepFolder {
 public:
  /// Reads the index that is there. Throws Error: it is damaged, or of other types than `representations`.
  StepFolder(std::filesystem::path folder, const std::vector<std::string>& representations, int threads);

  const std::vector<StepEntry>& steps() const { return index_.steps; }
  /// Writes a step's representations. False where they are there already, of the same weights. Throws Error: the folder
  /// is of another model, no permission, no space.
  bool add(const ModelAtStep& model);
  /// Removes what is later than `step`.
  void remove_after(std::int64_t step);
  /// What the filesystem could not do.
  const Notices& notices() const { return notices_; }

 private:
  void check_model(const ModelFingerprint& now);
  void write_index();

  std::filesystem::path folder_;
  std::vector<Representation> types_;
  int threads_;
  StepIndex index_;
  std::unique_ptr<TokenVectors> vectors_;  // from the first step that is written on
  Notices notices_;
};

/// Removes the folder, where it is there.
Notices remove_steps(const std::filesystem::path& folder);

}  // namespace strider
