#pragma once
// Which lane each block of a step goes to (docs/blocks_and_lanes.md).
#include <cstdint>
#include <span>
#include <vector>

#include "engine/cpu/worker.h"

namespace strider {

struct LanePlan {
  struct Place {
    std::int64_t lane = 0;
    std::int64_t number = 0;  // how many blocks come before it in the lane
  };
  std::vector<Place> of_block;
  std::vector<std::int64_t> blocks;  // of each lane
  std::vector<std::int64_t> rows;    // of each lane
  std::int64_t used = 0;             // lanes that have any: the first so many
};

/// Each block in turn goes to the lane with the fewest rows until then, the first of several: lanes, and the ranks that
/// own every so manieth of them, get equal work. It depends on the blocks alone. `plan` is replaced.
void plan_lanes(std::span<const BlockPlan> blocks, std::int64_t lanes, LanePlan& plan);

}  // namespace strider
