#pragma once
// One engine made of the engines of several processes. Rank 0 runs the program: it reads, decides, writes and prints.
// The others serve it: each has a CPU engine of the same model, and makes every call that rank 0's engine gets, on its
// share of the blocks (docs/blocks_and_lanes.md, "Several processes"). All results are those of one process, bit by
// bit.
#include <memory>

#include "communicator/communicator.h"
#include "engine/engine.h"

namespace strider {

/// On rank 0: has the other ranks make their engines, and calls them with its own until it is destroyed.
std::unique_ptr<Engine> make_leading_engine(const LlamaConfig& config, const EngineSettings& settings);

/// On the other ranks: serves engines of rank 0, with `threads` threads, until it calls dismiss_ranks(). Throws Error
/// where an engine cannot be made.
void serve_ranks(Communicator& ranks, int threads);

/// On rank 0, at its end.
void dismiss_ranks(Communicator& ranks);

}  // namespace strider
