#include "engine/cuda/held_walks.h"

#include <algorithm>
#include <stdexcept>

#include "engine/cuda/ops/attention.h"
#include "engine/cuda/ops/gather_walks.h"
#include "engine/cuda/ops/order_by_token.h"

namespace strider::cuda {
namespace {

constexpr std::int64_t kDropped = 1;

// Copied at once, so that the host needs little memory of its own.
constexpr std::size_t kTokensAtOnce = std::size_t{1} << 20U;

template <typename Id>
void load_tokens(DeviceSpan<Id> tokens, const Stream& stream, std::span<const std::int64_t> lengths,
                 const std::function<void(std::int64_t walk, std::span<std::int32_t> out)>& read) {
  std::vector<std::int32_t> walk;
  std::vector<Id> piece;
  std::int64_t done = 0;
  const auto copy = [&] {
    const auto count = static_cast<std::int64_t>(piece.size());
    stream.copy_to_device(part(tokens, done, count), piece.data());
    stream.wait();
    done += count;
    piece.clear();
  };
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    walk.resize(static_cast<std::size_t>(lengths[i]));
    read(static_cast<std::int64_t>(i), walk);
    for (const std::int32_t token : walk) piece.push_back(static_cast<Id>(token));
    if (piece.size() >= kTokensAtOnce) copy();
  }
  copy();
}

// Appends the numbers of walks (WalkNumber) to a call.
class CallWriter {
 public:
  CallWriter(std::span<std::int32_t> numbers, std::size_t batches)
      : numbers_(numbers), end_(batches * static_cast<std::size_t>(kHeadNumbers)) {}

  void begin_batch(std::size_t batch) {
    head_ = batch * static_cast<std::size_t>(kHeadNumbers);
    numbers_[head_ + kHeadPlace] = static_cast<std::int32_t>(end_);
    numbers_[head_ + kHeadWalks] = 0;
    rows_ = tiles_ = 0;
  }
  void add_walk(std::int64_t start, std::int64_t rows, const BatchLimits& limits) {
    if (rows == 0) return;
    add(start);
    numbers_[head_ + kHeadWalks] += 1;
    rows_ += rows;
    tiles_ += tiles_of(rows, limits.tile);
  }
  BatchShape end_batch(const BatchLimits& limits) {
    add(0);
    return filled_shape(rows_, tiles_, limits);
  }
  std::int64_t numbers() const { return static_cast<std::int64_t>(end_); }

 private:
  void add(std::int64_t start) {
    numbers_[end_ + kWalkStart] = static_cast<std::int32_t>(start);
    numbers_[end_ + kWalkRow] = static_cast<std::int32_t>(rows_);
    numbers_[end_ + kWalkTile] = static_cast<std::int32_t>(tiles_);
    end_ += kWalkNumbers;
  }

  std::span<std::int32_t> numbers_;
  std::size_t end_;
  std::size_t head_ = 0;
  std::int64_t rows_ = 0, tiles_ = 0;
};

BatchNumbers<DeviceSpan<std::int32_t>> numbers_of(const HeldMemory& memory, const BatchLimits& limits) {
  return {limits, [&](std::int64_t first, std::int64_t count) { return part(memory.batch, first, count); }};
}

}  // namespace

void HeldMemory::lay_out(Carver& carver, std::int64_t tokens, const BatchLimits& limits) {
  if (held_token_bytes(limits.vocab) == sizeof(std::uint16_t)) {
    narrow = {carver.take<std::uint16_t>(tokens), tokens};
  } else {
    wide = {carver.take<std::int32_t>(tokens), tokens};
  }
  batch = {carver.take<std::int32_t>(limits.numbers()), limits.numbers()};
}

void HeldWalks::load(const HeldMemory& memory, const Stream& stream, std::span<const std::int64_t> lengths,
                     const std::function<void(std::int64_t walk, std::span<std::int32_t> out)>& read) {
  std::vector<std::int64_t> starts = {0};
  starts.reserve(lengths.size() + 1);
  for (const std::int64_t length : lengths) starts.push_back(starts.back() + length);
  if (starts.back() > std::max(memory.narrow.size, memory.wide.size)) {
    throw std::logic_error("an engine is to hold more walks than its settings have announced");
  }
  if (memory.narrow.size > 0) {
    load_tokens(memory.narrow, stream, lengths, read);
  } else {
    load_tokens(memory.wide, stream, lengths, read);
  }
  starts_ = std::move(starts);
}

std::vector<std::int64_t> HeldWalks::lengths_of(std::span<const std::int64_t> walks) const {
  std::vector<std::int64_t> lengths;
  lengths.reserve(walks.size());
  for (const std::int64_t walk : walks) {
    if (walk < 0 || walk + 1 >= static_cast<std::int64_t>(starts_.size())) {
      throw std::logic_error("an engine is asked for a walk that it does not hold");
    }
    const auto at = static_cast<std::size_t>(walk);
    lengths.push_back(starts_[at + 1] - starts_[at]);
  }
  return lengths;
}

HeldCall HeldWalks::write_call(std::span<const std::int64_t> walks, const BatchLimits& limits,
                               std::span<std::int32_t> numbers) const {
  const std::vector<std::int64_t> lengths = lengths_of(walks);
  const std::vector<WalkRange> ranges = cut_into_batches(lengths, kDropped, limits);
  CallWriter writer(numbers, ranges.size());
  HeldCall call;
  for (const WalkRange& range : ranges) {
    writer.begin_batch(call.shapes.size());
    for (std::size_t i = range.first; i < range.last; ++i) {
      writer.add_walk(starts_[static_cast<std::size_t>(walks[i])], lengths[i] - kDropped, limits);
    }
    call.shapes.push_back(writer.end_batch(limits));
  }
  call.numbers = writer.numbers();
  return call;
}

void gather_batch(cudaStream_t stream, const HeldMemory& memory, DeviceSpan<const std::int32_t> call,
                  std::int64_t batch, BatchShape shape, const BatchLimits& limits) {
  const BatchNumbers<DeviceSpan<std::int32_t>> numbers = numbers_of(memory, limits);
  const GatheredRows out{part(numbers.ids, 0, shape.rows), part(numbers.targets, 0, shape.rows),
                         part(numbers.positions, 0, shape.rows), part(numbers.tiles, 0, shape.tiles * kTileNumbers)};
  const TileSizes sizes{static_cast<int>(limits.tile), static_cast<int>(filler_rows(limits))};
  if (memory.narrow.size > 0) {
    gather_walks<std::uint16_t>(stream, memory.narrow, call, batch, sizes, out);
  } else {
    gather_walks<std::int32_t>(stream, memory.wide, call, batch, sizes, out);
  }
}

void order_batch(cudaStream_t stream, const HeldMemory& memory, BatchShape shape, const BatchLimits& limits) {
  const BatchNumbers<DeviceSpan<std::int32_t>> numbers = numbers_of(memory, limits);
  order_by_token(stream, limits.vocab, part(numbers.ids, 0, shape.rows), part(numbers.rows_by_token, 0, shape.rows),
                 numbers.first_of_token);
}

}  // namespace strider::cuda
