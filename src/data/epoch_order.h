#pragma once
// The order in which an epoch visits the training walks.
#include <cstdint>
#include <vector>

namespace strider {

/// torch.randperm(walks) under a torch CPU generator seeded with `seed + epoch`: the order of Hugging Face's Trainer.
std::vector<std::int64_t> epoch_order(std::int64_t walks, std::uint64_t seed, std::int64_t epoch);

}  // namespace strider
