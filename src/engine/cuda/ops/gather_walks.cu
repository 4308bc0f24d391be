#include "engine/cuda/ops/attention.h"
#include "engine/cuda/ops/cross_entropy.h"
#include "engine/cuda/ops/gather_walks.h"
#include "engine/cuda/ops/warp.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

// The walks of one batch in a call's numbers.
struct BatchWalks {
  DeviceSpan<const std::int32_t> numbers;
  int place = 0, count = 0;

  __device__ int number(int walk, WalkNumber what) const { return numbers[place + walk * kWalkNumbers + what]; }

  // The last walk whose first row (or tile) is not behind i; `count` where i is behind all walks.
  __device__ int walk_of(WalkNumber what, int i) const {
    int low = 0;
    int high = count;
    while (low < high) {
      const int middle = (low + high + 1) / 2;
      if (number(middle, what) <= i) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }
};

template <typename Id>
__device__ void gather_row(DeviceSpan<const Id> tokens, const BatchWalks& walks, TileSizes sizes, int row,
                           const GatheredRows& out) {
  const int walk = walks.walk_of(kWalkRow, row);
  const int position = row - walks.number(walk, kWalkRow);
  if (walk == walks.count) {
    out.ids[row] = 0;
    out.targets[row] = kNoTarget;
    out.positions[row] = position % sizes.filler;
    return;
  }
  const std::int64_t token = std::int64_t{walks.number(walk, kWalkStart)} + position;
  out.ids[row] = tokens[token];
  out.targets[row] = tokens[token + 1];
  out.positions[row] = position;
}

// Tiles behind the last one with rows are passed over.
__device__ void make_tile(const BatchWalks& walks, TileSizes sizes, int tile, const GatheredRows& out) {
  const int walk = walks.walk_of(kWalkTile, tile);
  const int tile_of_walk = tile - walks.number(walk, kWalkTile);
  int row = walks.number(walk, kWalkRow);
  int length = 0;
  int position = 0;
  if (walk < walks.count) {
    length = walks.number(walk + 1, kWalkRow) - row;
    position = tile_of_walk * sizes.tile;
  } else {
    const int rows = static_cast<int>(out.ids.size);
    row += tile_of_walk * sizes.filler;
    length = row + sizes.filler < rows ? sizes.filler : rows - row;
    if (length <= 0) row = length = 0;
  }
  out.tiles[tile * kTileNumbers] = row;
  out.tiles[tile * kTileNumbers + 1] = length;
  out.tiles[tile * kTileNumbers + 2] = position;
}

// A thread for each row, then one for each tile.
template <typename Id>
__global__ void gather_walks_kernel(DeviceSpan<const Id> tokens, DeviceSpan<const std::int32_t> numbers, int batch,
                                    TileSizes sizes, GatheredRows out) {
  const int element = static_cast<int>(element_of_thread());
  const int rows = static_cast<int>(out.ids.size);
  const int tiles = static_cast<int>(out.tiles.size) / kTileNumbers;
  if (element >= rows + tiles) return;
  const BatchWalks walks{numbers, numbers[batch * kHeadNumbers + kHeadPlace],
                         numbers[batch * kHeadNumbers + kHeadWalks]};
  if (element < rows) {
    gather_row(tokens, walks, sizes, element, out);
  } else {
    make_tile(walks, sizes, element - rows, out);
  }
}

}  // namespace

template <typename Id>
void gather_walks(cudaStream_t stream, DeviceSpan<const Id> tokens, DeviceSpan<const std::int32_t> numbers,
                  std::int64_t batch, TileSizes sizes, const GatheredRows& out) {
  const std::int64_t elements = out.ids.size + out.tiles.size / kTileNumbers;
  launch(stream, blocks_for(elements, kElementThreads), kElementThreads, gather_walks_kernel<Id>, tokens, numbers,
         batch, sizes, out);
}

template void gather_walks<std::uint16_t>(cudaStream_t, DeviceSpan<const std::uint16_t>, DeviceSpan<const std::int32_t>,
                                          std::int64_t, TileSizes, const GatheredRows&);
template void gather_walks<std::int32_t>(cudaStream_t, DeviceSpan<const std::int32_t>, DeviceSpan<const std::int32_t>,
                                         std::int64_t, TileSizes, const GatheredRows&);

}  // namespace strider::cuda
