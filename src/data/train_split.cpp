#include "data/train_split.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/random/pcg64.h"

namespace strider {

TrainSplit train_test_split(std::int64_t walks, double train_size) {
  constexpr std::uint64_t kSeed = 42;
  if (!(train_size > 0 && train_size <= 1)) {
    throw Error(fmt::format("TRAIN_SPLIT is {}, not above 0 and at most 1", train_size),
                {.file = {}, .place = {}, .advice = "It is the share of walks that train, 0.95 for example."});
  }
  if (train_size == 1) {
    TrainSplit split{.train = std::vector<std::int64_t>(static_cast<std::size_t>(walks)), .validation = {}};
    std::iota(split.train.begin(), split.train.end(), 0);
    return split;
  }
  const auto train = static_cast<std::int64_t>(std::floor(train_size * static_cast<double>(walks)));
  // The product rounds to less than `walks` for any share below 1, so one walk at least is left to validate.
  if (train == 0) {
    throw Error(fmt::format("with TRAIN_SPLIT {} the train split of {} walks is empty", train_size, walks),
                {.file = {}, .place = {}, .advice = "Make more walks (MAX_SEQS), or change TRAIN_SPLIT."});
  }
  const std::vector<std::int64_t> order = NumpyGenerator(kSeed).permutation(walks);
  const auto middle = order.begin() + (walks - train);
  return {.train = {middle, order.end()}, .validation = {order.begin(), middle}};
}

}  // namespace strider
