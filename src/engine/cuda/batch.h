#pragma once
// A batch as the device gets it: the rows of some whole walks one after the other, with a few whole numbers about them.
// Launches are captured for a shape, so rows and tiles are filled up to a multiple: with walks of token 0 that predict
// nothing, and with tiles that are passed over.
#include <cstdint>
#include <span>
#include <vector>

#include "base/carver.h"
#include "engine/cuda/device_memory.h"
#include "engine/engine.h"

namespace strider::cuda {

/// What is the same in all batches of an engine.
struct BatchLimits {
  std::int64_t rows = 0;       // most, a multiple of kRowStep
  std::int64_t tiles = 0;      // most
  std::int64_t tile = 0;       // positions of one of attention's tiles
  std::int64_t positions = 0;  // of the longest walk
  std::int64_t vocab = 0;
  std::int64_t batches = 0;  // most of one call

  /// Whole numbers of one batch.
  std::int64_t numbers() const { return 4 * rows + vocab + 1 + 3 * tiles; }
};

inline constexpr std::int64_t kRowStep = 64;
inline constexpr std::int64_t kTileStep = 32;

/// `most_rows` is what a batch should have at most; one walk goes in at any length.
BatchLimits batch_limits(const LlamaConfig& config, const EngineSettings& settings, std::int64_t most_rows);

/// The parts of BatchLimits::numbers() whole numbers, on the host or on the device.
template <typename T>
struct BatchNumbers {
  T ids, targets, positions, rows_by_token;  // [rows]
  T first_of_token;                          // [vocab + 1]
  T tiles;                                   // [tiles, kTileNumbers]

  template <typename Part>
  BatchNumbers(const BatchLimits& limits, const Part& part)
      : ids(part(0, limits.rows)),
        targets(part(limits.rows, limits.rows)),
        positions(part(2 * limits.rows, limits.rows)),
        rows_by_token(part(3 * limits.rows, limits.rows)),
        first_of_token(part(4 * limits.rows, limits.vocab + 1)),
        tiles(part(4 * limits.rows + limits.vocab + 1, 3 * limits.tiles)) {}
};

/// Walks [first, last) of a call.
struct WalkRange {
  std::size_t first = 0, last = 0;
};

std::vector<std::int64_t> lengths_of(std::span<const WalkView> walks);

/// Cuts a call whose walks have so many tokens into batches, in order. A walk has `dropped` rows less than tokens.
/// There is at least one batch. Throws std::logic_error where there are more walks than the engine's settings have
/// announced.
std::vector<WalkRange> cut_into_batches(std::span<const std::int64_t> lengths, std::int64_t dropped,
                                        const BatchLimits& limits);

struct BatchShape {
  std::int64_t rows = 0, tiles = 0;
  auto operator<=>(const BatchShape&) const = default;
};

/// Rows of a batch whose walks have so many.
std::int64_t filled_rows(std::int64_t rows);
/// Of a batch whose walks have so many rows and tiles.
BatchShape filled_shape(std::int64_t rows, std::int64_t tiles, const BatchLimits& limits);
/// Most rows of a walk that fills a batch up: it has one tile.
std::int64_t filler_rows(const BatchLimits& limits);
std::int64_t tiles_of(std::int64_t positions, std::int64_t tile);

/// Writes the numbers of a batch. With dropped 1 the targets are each walk's next tokens, with 0 there are none.
BatchShape write_batch(std::span<const WalkView> walks, std::int64_t dropped, const BatchLimits& limits,
                       std::span<std::int32_t> numbers);

}  // namespace strider::cuda
