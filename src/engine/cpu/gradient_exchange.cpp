#include "engine/cpu/gradient_exchange.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <stdexcept>

#include "engine/cpu/ops/sum_gradients.h"

namespace strider {
namespace {

// Whether a rank's lanes are a subtree of the sum, which it sends as one part.
bool sums_before_sending(int size) {
  return std::has_single_bit(static_cast<unsigned>(size));
}

// How many parts a rank sends of each range: one, or each of its lanes in use.
std::int64_t parts_sent(int size, int rank, std::int64_t used) {
  if (rank >= used) return 0;
  return sums_before_sending(size) ? 1 : (used - rank + size - 1) / size;
}

}  // namespace

std::int64_t GradientExchange::parts_of(int rank) const {
  return parts_sent(ranks_.size(), rank, used_);
}

std::int64_t GradientExchange::floats(int size, int rank, std::int64_t used, std::span<const OwnedRange> ranges) {
  std::int64_t own = 0, of_others = 0;
  for (const OwnedRange& range : ranges) (range.owner == rank ? own : of_others) += range.count;
  std::int64_t floats = of_others * parts_sent(size, rank, used);
  for (int r = 0; r < size; ++r) floats += own * parts_sent(size, r, used);
  return floats;
}

void GradientExchange::order_by_batch(std::int64_t batches) {
  const auto size = static_cast<std::size_t>(ranks_.size());
  order_.resize(ranges_.size());
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  std::ranges::stable_sort(order_, {}, [&](std::size_t i) { return ranges_[i].batch; });
  own_at_.resize(ranges_.size());
  first_of_batch_.clear();
  before_batch_.clear();
  std::vector<std::int64_t> before(size, 0);
  std::size_t next = 0;
  for (std::int64_t batch = 0; batch <= batches; ++batch) {
    first_of_batch_.push_back(next);
    before_batch_.insert(before_batch_.end(), before.begin(), before.end());
    for (; next < order_.size() && ranges_[order_[next]].batch == batch; ++next) {
      const OwnedRange& range = ranges_[order_[next]];
      std::int64_t& floats = before[static_cast<std::size_t>(range.owner)];
      own_at_[order_[next]] = floats;
      floats += range.count;
    }
  }
}

void GradientExchange::begin(std::span<float* const> lanes, std::int64_t used, std::span<const OwnedRange> ranges,
                             std::int64_t batches) {
  const int size = ranks_.size();
  const int rank = ranks_.rank();
  if (floats(size, rank, used, ranges) > static_cast<std::int64_t>(memory_.size())) {
    throw std::logic_error("an exchange of gradients is larger than was planned");
  }
  lanes_.assign(lanes.begin(), lanes.end());
  used_ = used;
  batch_ = 0;
  ranges_.assign(ranges.begin(), ranges.end());
  order_by_batch(batches);

  // What goes to a rank, and what comes from one, lies together, batch by batch. This rank's parts of its own ranges
  // are among what comes.
  out_.clear();
  in_.clear();
  float* place = memory_.data();
  for (int r = 0; r < size; ++r) {
    out_.push_back(place);
    if (r != rank) place += before(batches, r) * parts_of(rank);
    in_.push_back(place);
    place += before(batches, rank) * parts_of(r);
  }
  for (std::int64_t batch = 0; batch < batches; ++batch) {
    for (int step = 1; step < size; ++step) {
      const int from = (rank - step + size) % size;
      const std::int64_t begin = before(batch, rank) * parts_of(from);
      const std::int64_t end = before(batch + 1, rank) * parts_of(from);
      float* const to = in_[static_cast<std::size_t>(from)] + begin;
      ranks_.start_receive(std::as_writable_bytes(std::span(to, static_cast<std::size_t>(end - begin))), from,
                           channel_);
    }
  }
}

// This rank's parts of a range, one behind the other.
void GradientExchange::put_together(const OwnedRange& range, float* to) const {
  std::vector<const float*> own;
  for (std::int64_t lane = ranks_.rank(); lane < used_; lane += ranks_.size()) {
    own.push_back(lanes_[static_cast<std::size_t>(lane)] + range.offset);
  }
  if (sums_before_sending(ranks_.size())) {
    sum_gradients(range.count, own, to);
  } else {
    for (const float* const lane : own) to = std::copy_n(lane, range.count, to);
  }
}

void GradientExchange::send(ThreadTeam& team) {
  const int size = ranks_.size();
  const int rank = ranks_.rank();
  const std::int64_t own_parts = parts_of(rank);
  const std::int64_t batch = batch_++;
  if (own_parts == 0) return;
  const std::size_t first = first_of_batch_[static_cast<std::size_t>(batch)];
  const std::size_t last = first_of_batch_[static_cast<std::size_t>(batch) + 1];
  parallel_for(team, static_cast<std::int64_t>(last - first), [&](int, std::int64_t i) {
    const std::size_t index = order_[first + static_cast<std::size_t>(i)];
    const OwnedRange& range = ranges_[index];
    const auto owner = static_cast<std::size_t>(range.owner);
    if (range.count == 0) return;
    put_together(range, (range.owner == rank ? in_ : out_)[owner] + own_at_[index] * own_parts);
  });
  for (int step = 1; step < size; ++step) {  // not everybody to the same rank at once
    const int to = (rank + step) % size;
    const std::int64_t begin = before(batch, to) * own_parts;
    const std::int64_t end = before(batch + 1, to) * own_parts;
    const float* const from = out_[static_cast<std::size_t>(to)] + begin;
    ranks_.start_send(std::as_bytes(std::span(from, static_cast<std::size_t>(end - begin))), to, channel_);
  }
}

std::span<const float* const> GradientExchange::parts(std::size_t i, std::vector<const float*>& pointers) const {
  const int size = ranks_.size();
  // What a rank sends of its ranges before this one, and of this one: parts of a range lie together.
  const auto part_of = [&](int rank, std::int64_t part) {
    return in_[static_cast<std::size_t>(rank)] + own_at_[i] * parts_of(rank) + part * ranges_[i].count;
  };
  pointers.clear();
  if (sums_before_sending(size)) {
    for (int rank = 0; rank < std::min<std::int64_t>(size, used_); ++rank) pointers.push_back(part_of(rank, 0));
  } else {
    for (std::int64_t lane = 0; lane < used_; ++lane) {
      pointers.push_back(part_of(static_cast<int>(lane % size), lane / size));
    }
  }
  return pointers;
}

}  // namespace strider
