#pragma once
// What a run takes of the machine's memory. The walks are in mapped files, which the system gives back when it must,
// and do not count.
#include <cstdint>

#include "data/walk_dataset.h"
#include "engine/engine.h"
#include "train/settings.h"

namespace strider {

/// Walks of a step at the most: no more than the split has.
std::int64_t most_walks_of_a_step(const TrainingSettings& settings, const WalkSplit& split);

/// `ranks`: those that share the steps with this process, if any (EngineSettings::ranks).
EngineSettings engine_settings(const TrainingSettings& settings, const LlamaConfig& config, const WalkDataset& dataset,
                               Communicator* ranks = nullptr);

/// Bytes at the most: the engine, the walks of a step, the order of an epoch, one copy of weights and optimizer state
/// (that of the checkpoint that is read when the run goes on, afterwards of the one that is written), with
/// AVERAGE_SHARE the sums of the weights twice, and the program itself. With ranks that of this one.
std::uint64_t training_memory_bytes(const TrainingSettings& settings, const LlamaConfig& config,
                                    const WalkDataset& dataset, Communicator* ranks = nullptr);

/// Throws Error when a run needs more than `available` bytes, with the settings that would fit.
void check_training_memory(const TrainingSettings& settings, const LlamaConfig& config, const WalkDataset& dataset,
                           std::uint64_t available, Communicator* ranks = nullptr);

}  // namespace strider
