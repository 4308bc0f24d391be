#include "data/epoch_order.h"

#include "base/random/mt19937.h"

namespace strider {

std::vector<std::int64_t> epoch_order(std::int64_t walks, std::uint64_t seed, std::int64_t epoch) {
  return TorchGenerator(seed + static_cast<std::uint64_t>(epoch)).permutation(walks);
}

}  // namespace strider
