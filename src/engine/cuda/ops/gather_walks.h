#pragma once
// The rows of a batch out of walks that lie on the device. Of walk w of the batch, whose tokens begin at start[w] and
// whose rows are [first[w], first[w + 1]), row r at position t = r - first[w] has
//   ids[r] = tokens[start[w] + t],   targets[r] = tokens[start[w] + t + 1],   positions[r] = t
// Rows behind those of the last walk fill the batch up: token 0 without a target, in walks of TileSizes::filler rows.
// The same numbers as write_batch() in batch.h makes on the host.
#include "engine/cuda/device_memory.h"

namespace strider::cuda {

/// What the host says of each walk of a batch that has rows, and once more of where the rows begin that fill it up.
enum WalkNumber { kWalkStart, kWalkRow, kWalkTile, kWalkNumbers };  // its first token, row and tile
/// What it says of each batch of a call: the place of its first walk's numbers, and how many walks have rows.
enum BatchHead { kHeadPlace, kHeadWalks, kHeadNumbers };

/// Positions of one of attention's tiles, and of a walk that fills a batch up, which is no longer.
struct TileSizes {
  int tile = 0, filler = 0;
};

struct GatheredRows {
  DeviceSpan<std::int32_t> ids, targets, positions;  // [rows]
  DeviceSpan<std::int32_t> tiles;                    // [tiles, kTileNumbers]
};

/// Id is std::uint16_t or std::int32_t. numbers: a call's, whose batch `batch` becomes `out`.
template <typename Id>
void gather_walks(cudaStream_t stream, DeviceSpan<const Id> tokens, DeviceSpan<const std::int32_t> numbers,
                  std::int64_t batch, TileSizes sizes, const GatheredRows& out);

}  // namespace strider::cuda
