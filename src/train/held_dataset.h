#pragma once
// A dataset that the engine holds (Engine::hold_walks), so that the walks of a step are asked for by number: first
// those of the training split, then those of the validation split, each cut to max_length.
#include "data/walk_dataset.h"
#include "engine/engine.h"

namespace strider {

/// Of all walks: EngineSettings::held_tokens.
std::int64_t dataset_tokens(const WalkDataset& dataset, std::int64_t max_length);

/// Reads every walk once.
void give_dataset(const WalkDataset& dataset, std::int64_t max_length, Engine& engine);

}  // namespace strider
