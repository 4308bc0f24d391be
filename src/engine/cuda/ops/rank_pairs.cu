#include "engine/cuda/ops/block_sum.h"
#include "engine/cuda/ops/rank_pairs.h"
#include "engine/cuda/ops/warp.h"
#include "engine/cuda/runtime.h"
#include "engine/node_pairs.h"

namespace strider::cuda {
namespace {

constexpr int kHopBits = 16;
constexpr std::uint64_t kNoHops = PairedNodes::kNoHops;  // also all bits of a key's graph distance
constexpr std::uint64_t kLastKey = ~std::uint64_t{0};

__global__ void pair_keys_kernel(int nodes, int first, DeviceSpan<const double> cosines,
                                 DeviceSpan<const std::uint16_t> hops, DeviceSpan<std::uint64_t> keys) {
  const std::int64_t element = element_of_thread();
  if (element >= cosines.size) return;
  const std::int64_t i = first + element / nodes;
  const std::int64_t j = element % nodes;
  if (j <= i) return;
  const auto distance = static_cast<float>(fmax(0.0, 1.0 - cosines[element]));
  std::uint32_t bits = 0;
  memcpy(&bits, &distance, sizeof(bits));
  const std::uint64_t apart = hops[i * nodes + j];
  const std::int64_t place = i * nodes - i * (i + 1) / 2 + (j - i - 1);
  keys[place] = apart == kNoHops ? kLastKey : (std::uint64_t{bits} << kHopBits | apart);
}

// A block sorts a tile of keys by four bits. Each thread owns keys that follow each other, so that the order of threads
// is that of the keys.
constexpr int kSortThreads = 128;
constexpr int kKeysOfAThread = 16;
constexpr int kTileKeys = kSortThreads * kKeysOfAThread;
constexpr int kDigitBits = 4;
constexpr int kDigits = 1 << kDigitBits;

using Tile = SharedArray<std::uint64_t, kTileKeys>;
using Counts = SharedArray<std::uint32_t, kDigits * kSortThreads>;  // [digit, thread]

__device__ int digit_of(std::uint64_t key, int shift) {
  return static_cast<int>(key >> shift & (kDigits - 1));
}

// Keys of a tile, and how many of each digit a thread has. Where there are no more keys `size` says so.
__device__ int load_and_count(DeviceSpan<const std::uint64_t> keys, int shift, Tile& tile, Counts& counts) {
  const int thread = static_cast<int>(threadIdx.x);
  const std::int64_t first = std::int64_t{blockIdx.x} * kTileKeys;
  const int size = static_cast<int>(keys.size - first < kTileKeys ? keys.size - first : kTileKeys);
  for (int i = thread; i < size; i += kSortThreads) tile[i] = keys[first + i];
  for (int digit = 0; digit < kDigits; ++digit) counts[digit * kSortThreads + thread] = 0;
  __syncthreads();
  const int begin = thread * kKeysOfAThread;
  const int end = begin + kKeysOfAThread < size ? begin + kKeysOfAThread : size;
  for (int i = begin; i < end; ++i) counts[digit_of(tile[i], shift) * kSortThreads + thread] += 1;
  return size;
}

// In place: each of the values becomes the sum of those before it. Threads own runs of values of the same length.
template <typename Values>
__device__ void sum_before(Values& values, std::int64_t count, SharedArray<std::uint32_t, kSortThreads>& totals) {
  const int thread = static_cast<int>(threadIdx.x);
  const std::int64_t each = (count + kSortThreads - 1) / kSortThreads;
  const std::int64_t begin = thread * each < count ? thread * each : count;
  const std::int64_t end = begin + each < count ? begin + each : count;
  std::uint32_t total = 0;
  for (std::int64_t i = begin; i < end; ++i) total += values[static_cast<int>(i)];
  totals[thread] = total;
  for (int distance = 1; distance < kSortThreads; distance *= 2) {
    __syncthreads();
    const std::uint32_t before = thread >= distance ? static_cast<std::uint32_t>(totals[thread - distance]) : 0;
    __syncthreads();
    totals[thread] += before;
  }
  std::uint32_t sum = totals[thread] - total;
  for (std::int64_t i = begin; i < end; ++i) {
    const std::uint32_t value = values[static_cast<int>(i)];
    values[static_cast<int>(i)] = sum;
    sum += value;
  }
}

// counts[digit, block] = keys of the block with that digit
__global__ void count_digits_kernel(int shift, DeviceSpan<const std::uint64_t> keys, DeviceSpan<std::uint32_t> counts) {
  __shared__ Tile tile;
  __shared__ Counts of_threads;
  load_and_count(keys, shift, tile, of_threads);
  __syncthreads();
  const int digit = static_cast<int>(threadIdx.x);
  if (digit >= kDigits) return;
  std::uint32_t count = 0;
  for (int thread = 0; thread < kSortThreads; ++thread) count += of_threads[digit * kSortThreads + thread];
  counts[std::int64_t{digit} * gridDim.x + blockIdx.x] = count;
}

// One block.
__global__ void sum_before_kernel(DeviceSpan<std::uint32_t> counts) {
  __shared__ SharedArray<std::uint32_t, kSortThreads> totals;
  sum_before(counts, counts.size, totals);
}

// places[digit, block]: where the block's keys of that digit begin.
__global__ void scatter_kernel(int shift, DeviceSpan<const std::uint64_t> keys, DeviceSpan<const std::uint32_t> places,
                               DeviceSpan<std::uint64_t> sorted) {
  __shared__ Tile tile;
  __shared__ Counts counts;
  __shared__ SharedArray<std::uint32_t, kSortThreads> totals;
  const int size = load_and_count(keys, shift, tile, counts);
  __syncthreads();
  sum_before(counts, kDigits * kSortThreads, totals);
  __syncthreads();
  const int thread = static_cast<int>(threadIdx.x);
  const int begin = thread * kKeysOfAThread;
  const int end = begin + kKeysOfAThread < size ? begin + kKeysOfAThread : size;
  // The first thread's counter of a digit says where the digit begins in the tile, and must not move meanwhile.
  std::uint32_t starts[kDigits];
  for (int digit = 0; digit < kDigits; ++digit) starts[digit] = counts[digit * kSortThreads];
  __syncthreads();
  for (int i = begin; i < end; ++i) {
    const std::uint64_t key = tile[i];
    const int digit = digit_of(key, shift);
    const std::uint32_t in_tile = counts[digit * kSortThreads + thread];
    counts[digit * kSortThreads + thread] = in_tile + 1;
    sorted[std::int64_t{places[std::int64_t{digit} * gridDim.x + blockIdx.x]} + (in_tile - starts[digit])] = key;
  }
}

constexpr int kPairsOfABlock = 2048;

// The first key in [begin, end) whose cosine distance is at least (or, with `after`, above) that of `key`.
__device__ std::int64_t bound(DeviceSpan<const std::uint64_t> keys, std::uint64_t key, std::int64_t begin,
                              std::int64_t end, bool after) {
  const std::uint64_t distance = key >> kHopBits;
  while (begin < end) {
    const std::int64_t middle = begin + (end - begin) / 2;
    const std::uint64_t here = keys[middle] >> kHopBits;
    if (here < distance || (after && here == distance)) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

__global__ void rank_sums_kernel(DeviceSpan<const std::uint64_t> keys, DeviceSpan<const double> rank_of_hops,
                                 DeviceSpan<double> sums) {
  const std::int64_t first = std::int64_t{blockIdx.x} * kPairsOfABlock;
  const double mean = (static_cast<double>(keys.size) + 1.0) / 2.0;
  double values[kRankSums] = {};
  for (int i = static_cast<int>(threadIdx.x); i < kPairsOfABlock && first + i < keys.size; i += kSumThreads) {
    const std::uint64_t key = keys[first + i];
    const std::int64_t begin = bound(keys, key, 0, first + i, false);
    const std::int64_t end = bound(keys, key, first + i + 1, keys.size, true);
    const double rank = (static_cast<double>(begin + end) + 1.0) / 2.0 - mean;
    const double graph_rank = rank_of_hops[static_cast<std::int64_t>(key & kNoHops)] - mean;
    values[0] += rank * graph_rank;
    values[1] += graph_rank * graph_rank;
    values[2] += rank * rank;
  }
  block_sums(values);
  if (threadIdx.x != 0) return;
  for (int i = 0; i < kRankSums; ++i) sums[std::int64_t{blockIdx.x} * kRankSums + i] = values[i];
}

}  // namespace

void pair_keys(cudaStream_t stream, std::int64_t nodes, std::int64_t first, DeviceSpan<const double> cosines,
               DeviceSpan<const std::uint16_t> hops, DeviceSpan<std::uint64_t> keys) {
  launch(stream, blocks_for(cosines.size, kElementThreads), kElementThreads, pair_keys_kernel, nodes, first, cosines,
         hops, keys);
}

std::int64_t sort_scratch(std::int64_t keys) {
  return std::int64_t{kDigits} * blocks_for(keys, kTileKeys);
}

void sort_keys(cudaStream_t stream, DeviceSpan<std::uint64_t> keys, DeviceSpan<std::uint64_t> other,
               DeviceSpan<std::uint32_t> scratch) {
  constexpr int kDistanceBits = 32;
  static_assert(kDistanceBits / kDigitBits % 2 == 0, "after an even number of passes the result is in `keys`");
  const unsigned blocks = blocks_for(keys.size, kTileKeys);
  for (int shift = kHopBits; shift < kHopBits + kDistanceBits; shift += kDigitBits) {
    launch(stream, blocks, kSortThreads, count_digits_kernel, shift, keys, scratch);
    launch(stream, 1U, kSortThreads, sum_before_kernel, scratch);
    launch(stream, blocks, kSortThreads, scatter_kernel, shift, keys, scratch, other);
    std::swap(keys, other);
  }
}

std::int64_t rank_blocks(std::int64_t pairs) {
  return blocks_for(pairs, kPairsOfABlock);
}

void rank_sums(cudaStream_t stream, DeviceSpan<const std::uint64_t> keys, DeviceSpan<const double> rank_of_hops,
               DeviceSpan<double> sums) {
  launch(stream, static_cast<unsigned>(rank_blocks(keys.size)), kSumThreads, rank_sums_kernel, keys, rank_of_hops,
         sums);
}

}  // namespace strider::cuda
