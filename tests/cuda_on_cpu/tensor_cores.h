#pragma once
// The matrix instructions of a warp for the CPU, written from the layouts in the PTX ISA ("Matrix Fragments for
// mma.m16n8k16 with floating point type" and "ldmatrix"). Each lane brings its part; a lane that does not is an error.
// Part of cuda_runtime.h, which includes it.
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "cuda_on_cpu/checked.h"

namespace cuda_on_cpu {

// Half `half` of the 32 bits at `index` of what a lane gave, as a bfloat16.
inline float bfloat16_of(const Gift& gift, int index, int half) {
  const auto pair = static_cast<std::uint32_t>(gift[static_cast<std::size_t>(index / 2)] >> (index % 2 * 32));
  return std::bit_cast<float>(half == 0 ? pair << 16U : pair & 0xFFFF0000U);
}

/// mma.m16n8k16 of bfloat16 with float32 sums. A GPU may add in another order, and drop bits below the sum's.
inline void multiply_add(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], int line) {
  const auto both = [](std::uint32_t lower, std::uint32_t upper) { return lower | std::uint64_t{upper} << 32U; };
  const WarpGifts given = exchange_all({both(a[0], a[1]), both(a[2], a[3]), both(b[0], b[1])}, line);
  const int group = lane() / 4;
  const int pair = lane() % 4 * 2;
  for (int k = 0; k < 16; ++k) {
    const int column_lane = k % 8 / 2;
    const auto left = [&](int row) {
      return bfloat16_of(*given[static_cast<std::size_t>(row % 8 * 4 + column_lane)], row / 8 + k / 8 * 2, k % 2);
    };
    const auto right = [&](int column) {
      return bfloat16_of(*given[static_cast<std::size_t>(column * 4 + column_lane)], 4 + k / 8, k % 2);
    };
    for (int i = 0; i < 4; ++i) d[i] += left(group + i / 2 * 8) * right(pair + i % 2);
  }
}

/// ldmatrix.m8n8.x4: lane 8 m + r says at which element row r of matrix m begins.
template <typename T, int kSize>
void load_matrices(SharedArray<T, kSize>& from, int row, bool transposed, std::uint32_t (&pairs)[4], int line) {
  static_assert(sizeof(T) == sizeof(std::uint16_t));
  constexpr int kRowElements = 8;
  if (row % kRowElements != 0) misaligned(Space::kShared, row);
  const WarpGifts given = exchange_all({static_cast<std::uint64_t>(row)}, line);
  for (int m = 0; m < 4; ++m) {
    pairs[m] = 0;
    for (int p = 0; p < 2; ++p) {
      const int along = lane() / 4;
      const int across = lane() % 4 * 2 + p;
      const auto lane_of_row = static_cast<std::size_t>(8 * m + (transposed ? across : along));
      const auto begin = static_cast<int>((*given[lane_of_row])[0]);
      const T value = from[begin + (transposed ? along : across)];
      std::uint16_t bits = 0;
      std::memcpy(&bits, &value, sizeof(bits));
      pairs[m] |= std::uint32_t{bits} << static_cast<unsigned>(16 * p);
    }
  }
}

}  // namespace cuda_on_cpu
