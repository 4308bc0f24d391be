#include "engine/cpu/lane_plan.h"

#include <algorithm>

namespace strider {

void plan_lanes(std::span<const BlockPlan> blocks, std::int64_t lanes, LanePlan& plan) {
  plan.of_block.clear();
  plan.blocks.assign(static_cast<std::size_t>(lanes), 0);
  plan.rows.assign(static_cast<std::size_t>(lanes), 0);
  for (const BlockPlan& block : blocks) {
    const auto lane = static_cast<std::size_t>(std::ranges::min_element(plan.rows) - plan.rows.begin());
    plan.of_block.push_back({.lane = static_cast<std::int64_t>(lane), .number = plan.blocks[lane]});
    plan.blocks[lane] += 1;
    plan.rows[lane] += block.rows;
  }
  plan.used = std::ranges::count_if(plan.blocks, [](std::int64_t blocks_of_lane) { return blocks_of_lane > 0; });
}

}  // namespace strider
