#pragma once
// What planning an extraction and carrying it out share: sizes that memory is counted by and then taken by.
#include <cstdint>

#include "engine/engine.h"
#include "extract/extract.h"

namespace strider {

/// What the files are staged as, hidden, in a folder that exists already.
std::filesystem::path staged_beside_others(const std::filesystem::path& folder);

EngineSettings engine_settings(const ExtractPlan& plan);

/// Rows of an array that are made at a time: work for a team, small beside the model.
inline constexpr std::int64_t kRowsAtOnce = 32 * TokenStates::kBlock;
/// Floats of the largest such piece.
std::uint64_t piece_floats(const ExtractPlan& plan);
/// The same for the single vectors in context: tokens, with all their vectors, and the floats of the largest piece.
std::int64_t raw_rows_at_once(const ExtractPlan& plan);
std::uint64_t raw_piece_floats(const ExtractPlan& plan);

/// What the fingerprint says of a plan's contexts; empty without.
std::vector<std::pair<std::string, std::string>> context_fields(const ExtractPlan& plan);

}  // namespace strider
