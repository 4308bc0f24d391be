#pragma once
// How ranks sum the gradients of their lanes (docs/blocks_and_lanes.md, "Several processes"). Lane l is that of rank
// l mod N. The flat gradient is cut into ranges, each owned by a rank: what all lanes have of a range is sent to its
// owner, who sums it as one process would.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/parallel.h"
#include "communicator/communicator.h"

namespace strider {

struct OwnedRange {
  std::int64_t offset = 0, count = 0;  // in floats
  int owner = 0;                       // a rank
};

class GradientExchange {
 public:
  explicit GradientExchange(Communicator& ranks) : ranks_(ranks) {}

  /// lanes[l] has this rank's gradient for l = rank, rank + N, ... below `used`; the others are not looked at.
  /// Collective.
  void run(ThreadTeam& team, std::span<float* const> lanes, std::int64_t used, std::span<const OwnedRange> ranges);

  /// After run(): what sum_gradients() is to sum for ranges[i], which is this rank's. Valid until the next call of
  /// either.
  std::span<const float* const> parts(std::size_t i, std::vector<const float*>& pointers) const;

 private:
  std::int64_t parts_of(int rank) const;

  Communicator& ranks_;
  bool sums_first_ = false;  // whether a rank's lanes are a subtree of the sum, which it sends as one part
  std::int64_t used_ = 0;
  std::vector<OwnedRange> ranges_;
  std::vector<float> out_, in_;
  std::vector<std::int64_t> in_at_;   // of each rank, where its parts of this rank's ranges begin in in_
  std::vector<std::int64_t> own_at_;  // of each range, how many floats of its owner's ranges come before it
};

}  // namespace strider
