#include "engine/cuda/batch.h"

#include <algorithm>
#include <stdexcept>

#include "engine/cuda/ops/attention.h"
#include "engine/cuda/ops/cross_entropy.h"

namespace strider::cuda {
namespace {

std::int64_t round_up(std::int64_t count, std::int64_t step) {
  return (count + step - 1) / step * step;
}

// Rows and tiles, appended walk by walk.
class BatchWriter {
 public:
  BatchWriter(const BatchLimits& limits, std::span<std::int32_t> numbers)
      : limits_(limits), out_(limits, [numbers](std::int64_t first, std::int64_t count) {
          return numbers.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
        }) {}

  void add_walk(WalkView tokens, std::int64_t rows, bool has_targets) {
    add_tiles(rows);
    for (std::int64_t t = 0; t < rows; ++t) {
      const auto at = static_cast<std::size_t>(t);
      add_row(tokens[at], has_targets ? tokens[at + 1] : kNoTarget, t);
    }
  }

  // Up to whole steps.
  BatchShape fill() {
    const BatchShape shape = filled_shape(rows_, tiles_, limits_);
    while (rows_ < shape.rows) {
      const std::int64_t length = std::min(shape.rows - rows_, filler_rows(limits_));
      add_tiles(length);
      for (std::int64_t t = 0; t < length; ++t) add_row(0, kNoTarget, t);
    }
    while (tiles_ < shape.tiles) add_tile(0, 0, 0);
    return shape;
  }

  void sort_by_token() const {
    const auto vocab = static_cast<std::size_t>(limits_.vocab);
    std::ranges::fill(out_.first_of_token, 0);
    for (std::size_t r = 0; r < static_cast<std::size_t>(rows_); ++r) {
      out_.first_of_token[static_cast<std::size_t>(out_.ids[r]) + 1] += 1;
    }
    for (std::size_t token = 0; token < vocab; ++token) out_.first_of_token[token + 1] += out_.first_of_token[token];
    std::vector<std::int32_t> next(out_.first_of_token.begin(), out_.first_of_token.end());
    for (std::size_t r = 0; r < static_cast<std::size_t>(rows_); ++r) {
      std::int32_t& place = next[static_cast<std::size_t>(out_.ids[r])];
      out_.rows_by_token[static_cast<std::size_t>(place)] = static_cast<std::int32_t>(r);
      place += 1;
    }
  }

 private:
  void add_row(std::int32_t id, std::int32_t target, std::int64_t position) {
    const auto row = static_cast<std::size_t>(rows_);
    out_.ids[row] = id;
    out_.targets[row] = target;
    out_.positions[row] = static_cast<std::int32_t>(position);
    rows_ += 1;
  }

  // Of a walk that begins at the next row.
  void add_tiles(std::int64_t length) {
    if (rows_ + length > limits_.rows || tiles_ + tiles_of(length, limits_.tile) > limits_.tiles) {
      throw std::logic_error("a batch is larger than its engine");
    }
    for (std::int64_t first = 0; first < length; first += limits_.tile) add_tile(rows_, length, first);
  }

  void add_tile(std::int64_t start, std::int64_t length, std::int64_t first) {
    const auto at = static_cast<std::size_t>(tiles_ * kTileNumbers);
    out_.tiles[at] = static_cast<std::int32_t>(start);
    out_.tiles[at + 1] = static_cast<std::int32_t>(length);
    out_.tiles[at + 2] = static_cast<std::int32_t>(first);
    tiles_ += 1;
  }

  const BatchLimits& limits_;
  BatchNumbers<std::span<std::int32_t>> out_;
  std::int64_t rows_ = 0, tiles_ = 0;
};

// Of a batch before it is filled up.
std::int64_t most_tiles(const BatchLimits& limits) {
  return limits.tiles - kRowStep / filler_rows(limits) - 1;
}

}  // namespace

BatchLimits batch_limits(const LlamaConfig& config, const EngineSettings& settings, std::int64_t most_rows) {
  BatchLimits limits;
  limits.positions = settings.max_length;
  limits.vocab = config.vocab_size;
  const auto head_dim = static_cast<int>(config.head_dim);
  limits.tile =
      settings.precision == Precision::kBfloat16 ? attention_tile<Bfloat16>(head_dim) : attention_tile<float>(head_dim);
  const std::int64_t all = settings.walks_per_step * settings.max_length;
  limits.rows = round_up(std::max(settings.max_length, std::min(all, most_rows)), kRowStep);
  // Every walk, and every piece of what fills a step up, may end with a tile that is not full.
  const std::int64_t walks = std::min(settings.walks_per_step, limits.rows);
  const std::int64_t pieces = kRowStep / filler_rows(limits) + 1;
  limits.tiles = round_up(limits.rows / limits.tile + walks + pieces, kTileStep);
  // Two batches that follow each other have more rows, or more tiles, than fit into one.
  const std::int64_t all_tiles = settings.walks_per_step * tiles_of(settings.max_length, limits.tile);
  limits.batches = std::min(settings.walks_per_step, 2 * (all / limits.rows + all_tiles / most_tiles(limits)) + 2);
  return limits;
}

std::int64_t filled_rows(std::int64_t rows) {
  return std::max(kRowStep, round_up(rows, kRowStep));
}

std::int64_t filler_rows(const BatchLimits& limits) {
  return std::min(limits.tile, limits.positions);
}

std::int64_t tiles_of(std::int64_t positions, std::int64_t tile) {
  return (positions + tile - 1) / tile;
}

BatchShape filled_shape(std::int64_t rows, std::int64_t tiles, const BatchLimits& limits) {
  const std::int64_t filled = filled_rows(rows);
  return {filled, round_up(tiles + tiles_of(filled - rows, filler_rows(limits)), kTileStep)};
}

std::vector<std::int64_t> lengths_of(std::span<const WalkView> walks) {
  std::vector<std::int64_t> lengths;
  lengths.reserve(walks.size());
  for (const WalkView walk : walks) lengths.push_back(static_cast<std::int64_t>(walk.size()));
  return lengths;
}

std::vector<WalkRange> cut_into_batches(std::span<const std::int64_t> lengths, std::int64_t dropped,
                                        const BatchLimits& limits) {
  std::vector<WalkRange> batches(1);
  std::int64_t rows = 0;
  std::int64_t tiles = 0;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const std::int64_t own = lengths[i] - dropped;
    const std::int64_t own_tiles = tiles_of(own, limits.tile);
    if (rows > 0 && (rows + own > limits.rows || tiles + own_tiles > most_tiles(limits))) {
      batches.push_back({i, i});
      rows = 0;
      tiles = 0;
    }
    batches.back().last = i + 1;
    rows += own;
    tiles += own_tiles;
  }
  if (static_cast<std::int64_t>(batches.size()) > limits.batches) {
    throw std::logic_error("a call has more walks than its engine was made for");
  }
  return batches;
}

BatchShape write_batch(std::span<const WalkView> walks, std::int64_t dropped, const BatchLimits& limits,
                       std::span<std::int32_t> numbers) {
  BatchWriter writer(limits, numbers);
  for (const WalkView walk : walks) {
    writer.add_walk(walk, static_cast<std::int64_t>(walk.size()) - dropped, dropped == 1);
  }
  const BatchShape shape = writer.fill();
  writer.sort_by_token();
  return shape;
}

}  // namespace strider::cuda
