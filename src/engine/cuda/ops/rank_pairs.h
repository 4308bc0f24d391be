#pragma once
// Rank correlation over pairs of nodes. A pair is one number, its key: graph distance in the low 16 bits and above it
// the bits of its cosine distance max(0, 1 - cosine) as float32, which ascend as the distances do. Keys are sorted, and
// a pair's rank is then the mean of the places of all that are as far apart, from 1.
#include <cstdint>

#include "engine/cuda/device_memory.h"

namespace strider::cuda {

/// Pairs i < j of nodes.
constexpr std::int64_t all_pairs(std::int64_t nodes) {
  return nodes * (nodes - 1) / 2;
}

/// keys[place of (i, j)] for rows i from `first` on and j > i, from cosines [count, nodes] and hops [nodes, nodes].
/// Pairs without a path (hops PairedNodes::kNoHops) get a key above all others. keys [all_pairs(nodes)].
void pair_keys(cudaStream_t stream, std::int64_t nodes, std::int64_t first, DeviceSpan<const double> cosines,
               DeviceSpan<const std::uint16_t> hops, DeviceSpan<std::uint64_t> keys);

/// Numbers that sort_keys() needs beside the keys.
std::int64_t sort_scratch(std::int64_t keys);

/// Radix sort by cosine distance (Knuth, The Art of Computer Programming 3, 5.2.5), four bits a pass from the lowest
/// ones; keys of the same distance stay in their order. The result is in `keys`; `other` has the same size.
void sort_keys(cudaStream_t stream, DeviceSpan<std::uint64_t> keys, DeviceSpan<std::uint64_t> other,
               DeviceSpan<std::uint32_t> scratch);

/// Blocks of rank_sums(), each of which leaves kRankSums numbers.
std::int64_t rank_blocks(std::int64_t pairs);
inline constexpr int kRankSums = 3;

/// sums[block] = over the block's pairs, with both ranks minus (pairs + 1) / 2: the product of the two, the square of
/// that of the graph distance, rank_of_hops[hops], and the square of that of the cosine distance. keys [pairs], sorted.
void rank_sums(cudaStream_t stream, DeviceSpan<const std::uint64_t> keys, DeviceSpan<const double> rank_of_hops,
               DeviceSpan<double> sums);

}  // namespace strider::cuda
