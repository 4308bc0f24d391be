#include "engine/cpu/gradient_exchange.h"

#include <algorithm>
#include <bit>

#include "engine/cpu/ops/sum_gradients.h"

namespace strider {

// How many parts a rank sends of each range: one, or each of its lanes in use.
std::int64_t GradientExchange::parts_of(int rank) const {
  if (rank >= used_) return 0;
  return sums_first_ ? 1 : (used_ - rank + ranks_.size() - 1) / ranks_.size();
}

void GradientExchange::run(ThreadTeam& team, std::span<float* const> lanes, std::int64_t used,
                           std::span<const OwnedRange> ranges) {
  const int size = ranks_.size();
  const int rank = ranks_.rank();
  used_ = used;
  sums_first_ = std::has_single_bit(static_cast<unsigned>(size));
  ranges_.assign(ranges.begin(), ranges.end());
  const std::int64_t own_parts = parts_of(rank);
  std::vector<std::int64_t> owned(static_cast<std::size_t>(size), 0);  // floats of each rank's ranges
  own_at_.clear();
  for (const OwnedRange& range : ranges) {
    std::int64_t& floats = owned[static_cast<std::size_t>(range.owner)];
    own_at_.push_back(floats);
    floats += range.count;
  }

  // What goes to a rank, and what comes from one, lies together. This rank's parts of its own ranges are among what
  // comes.
  std::vector<std::int64_t> out_at;
  in_at_.clear();
  std::int64_t out_floats = 0, in_floats = 0;
  for (int r = 0; r < size; ++r) {
    out_at.push_back(out_floats);
    in_at_.push_back(in_floats);
    if (r != rank) out_floats += owned[static_cast<std::size_t>(r)] * own_parts;
    in_floats += parts_of(r) * owned[static_cast<std::size_t>(rank)];
  }
  out_.resize(static_cast<std::size_t>(out_floats));
  in_.resize(static_cast<std::size_t>(in_floats));

  // A range's parts lie one behind the other.
  parallel_for(team, static_cast<std::int64_t>(ranges.size()), [&](int, std::int64_t i) {
    const OwnedRange& range = ranges[static_cast<std::size_t>(i)];
    if (own_parts == 0) return;
    const auto owner = static_cast<std::size_t>(range.owner);
    float* to = range.owner == rank ? in_.data() + in_at_[owner] : out_.data() + out_at[owner];
    to += own_at_[static_cast<std::size_t>(i)] * own_parts;
    if (sums_first_) {
      std::vector<const float*> own_lanes;
      for (std::int64_t lane = rank; lane < used; lane += size) {
        own_lanes.push_back(lanes[static_cast<std::size_t>(lane)] + range.offset);
      }
      sum_gradients(range.count, own_lanes, to);
    } else {
      for (std::int64_t lane = rank; lane < used; lane += size) {
        to = std::copy_n(lanes[static_cast<std::size_t>(lane)] + range.offset, range.count, to);
      }
    }
  });

  std::vector<std::span<const std::byte>> out;
  std::vector<std::span<std::byte>> in;
  for (std::size_t r = 0; r < owned.size(); ++r) {
    const bool is_other = static_cast<int>(r) != rank;
    const std::int64_t sent = is_other ? owned[r] * own_parts : 0;
    const std::int64_t received = parts_of(static_cast<int>(r)) * owned[static_cast<std::size_t>(rank)];
    out.push_back(
        std::as_bytes(std::span(out_).subspan(static_cast<std::size_t>(out_at[r]), static_cast<std::size_t>(sent))));
    in.push_back(std::as_writable_bytes(
        std::span(in_).subspan(static_cast<std::size_t>(in_at_[r]), static_cast<std::size_t>(received))));
  }
  ranks_.exchange(out, in);
}

std::span<const float* const> GradientExchange::parts(std::size_t i, std::vector<const float*>& pointers) const {
  const int size = ranks_.size();
  // What a rank sends of its ranges before this one, and of this one: parts of a range lie together.
  const auto part_of = [&](int rank, std::int64_t part) {
    return in_.data() + in_at_[static_cast<std::size_t>(rank)] + own_at_[i] * parts_of(rank) + part * ranges_[i].count;
  };
  pointers.clear();
  if (sums_first_) {
    for (int rank = 0; rank < std::min<std::int64_t>(size, used_); ++rank) pointers.push_back(part_of(rank, 0));
  } else {
    for (std::int64_t lane = 0; lane < used_; ++lane) {
      pointers.push_back(part_of(static_cast<int>(lane % size), lane / size));
    }
  }
  return pointers;
}

}  // namespace strider
