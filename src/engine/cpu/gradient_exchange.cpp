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
  const std::int64_t own_parts = parts_of(rank);

  owned_.assign(static_cast<std::size_t>(size), 0);
  for (const OwnedRange& range : ranges) owned_[static_cast<std::size_t>(range.owner)] += range.count;
  std::vector<std::int64_t> at(static_cast<std::size_t>(size), 0);  // next float for each owner in out_
  std::int64_t total = 0;
  std::vector<std::span<const std::byte>> out;
  for (const std::int64_t floats : owned_) {
    at[out.size()] = total;
    total += floats * own_parts;
    out.emplace_back();
  }
  out_.resize(static_cast<std::size_t>(total));
  for (std::size_t r = 0; r < out.size(); ++r) {
    out[r] = std::as_bytes(
        std::span(out_).subspan(static_cast<std::size_t>(at[r]), static_cast<std::size_t>(owned_[r] * own_parts)));
  }
  out_at_.clear();
  own_at_.clear();
  counts_.clear();
  std::int64_t own = 0;
  for (const OwnedRange& range : ranges) {
    out_at_.push_back(at[static_cast<std::size_t>(range.owner)]);
    at[static_cast<std::size_t>(range.owner)] += range.count * own_parts;
    counts_.push_back(range.count);
    own_at_.push_back(range.owner == rank ? own : -1);
    if (range.owner == rank) own += range.count;
  }

  const std::int64_t own_floats = owned_[static_cast<std::size_t>(rank)];
  in_at_.clear();
  std::int64_t in_total = 0;
  for (int r = 0; r < size; ++r) {
    in_at_.push_back(in_total);
    in_total += parts_of(r) * own_floats;
  }
  in_.resize(static_cast<std::size_t>(in_total));
  std::vector<std::span<std::byte>> in;
  for (int r = 0; r < size; ++r) {
    in.push_back(
        std::as_writable_bytes(std::span(in_).subspan(static_cast<std::size_t>(in_at_[static_cast<std::size_t>(r)]),
                                                      static_cast<std::size_t>(parts_of(r) * own_floats))));
  }

  // A range's parts lie one behind the other. This rank's own ranges go the same way as the others'.
  parallel_for(team, static_cast<std::int64_t>(ranges.size()), [&](int, std::int64_t i) {
    const OwnedRange& range = ranges[static_cast<std::size_t>(i)];
    float* to = out_.data() + out_at_[static_cast<std::size_t>(i)];
    if (own_parts == 0) return;
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
  ranks_.exchange(out, in);
  if (own_floats > 0 && own_parts > 0)
    std::ranges::copy(out[static_cast<std::size_t>(rank)], in[static_cast<std::size_t>(rank)].begin());
}

std::span<const float* const> GradientExchange::parts(std::size_t i, std::vector<const float*>& pointers) const {
  const int size = ranks_.size();
  // What a rank sends of its ranges before this one, and of this one: parts of a range lie together.
  const auto part_of = [&](int rank, std::int64_t part) {
    return in_.data() + in_at_[static_cast<std::size_t>(rank)] + own_at_[i] * parts_of(rank) + part * counts_[i];
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
