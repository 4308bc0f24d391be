#pragma once
// How ranks sum the gradients of their lanes (docs/blocks_and_lanes.md, "Several processes"). Lane l is that of rank
// l mod N. The flat gradient is cut into ranges, each owned by a rank: what all lanes have of a range is sent to its
// owner, who sums it as one process would. Ranges go in batches, so that those that are complete can be under way while
// others are still added to.
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
  std::int64_t batch = 0;              // with which others it is sent
};

class GradientExchange {
 public:
  /// Two exchanges that may be under way at once have two channels. `memory` has what floats() says of any exchange
  /// that will be asked for.
  GradientExchange(Communicator& ranks, int channel, std::span<float> memory)
      : ranks_(ranks), channel_(channel), memory_(memory) {}

  /// What rank `rank` of `size` needs.
  static std::int64_t floats(int size, int rank, std::int64_t used, std::span<const OwnedRange> ranges);

  /// lanes[l] will have this rank's gradient for l = rank, rank + N, ... below `used`; the others are not looked at.
  /// Every rank then sends the batches 0 to `batches` - 1, in this order, and finishes.
  void begin(std::span<float* const> lanes, std::int64_t used, std::span<const OwnedRange> ranges,
             std::int64_t batches);
  /// To be called when the lanes have all of the next batch. It is under way afterwards, and the lanes may change.
  void send(ThreadTeam& team);
  /// Until everything has come.
  void finish() { ranks_.wait(channel_); }

  /// All of it at once.
  void run(ThreadTeam& team, std::span<float* const> lanes, std::int64_t used, std::span<const OwnedRange> ranges) {
    begin(lanes, used, ranges, 1);
    send(team);
    finish();
  }

  /// Afterwards: what sum_gradients() is to sum for ranges[i], which is this rank's. Valid until the next call of this
  /// or of begin().
  std::span<const float* const> parts(std::size_t i, std::vector<const float*>& pointers) const;

 private:
  void order_by_batch(std::int64_t batches);
  std::int64_t parts_of(int rank) const;
  std::int64_t before(std::int64_t batch, int owner) const {
    return before_batch_[static_cast<std::size_t>(batch * ranks_.size() + owner)];
  }
  void put_together(const OwnedRange& range, float* to) const;

  Communicator& ranks_;
  int channel_;
  std::span<float> memory_;
  std::vector<float*> lanes_;
  std::int64_t used_ = 0;
  std::int64_t batch_ = 0;  // comes next
  std::vector<OwnedRange> ranges_;
  std::vector<std::size_t> order_;           // indices of ranges_, by batch
  std::vector<std::size_t> first_of_batch_;  // in order_, and the end
  std::vector<std::int64_t> before_batch_;   // [batches + 1, N]: floats of a rank's ranges in the batches before
  std::vector<float*> out_, in_;             // of each rank, what goes to it and what comes from it
  std::vector<std::int64_t> own_at_;         // of each range, how many floats of its owner's ranges come before it
};

}  // namespace strider
