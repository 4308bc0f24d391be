#pragma once
// Products on the tensor cores: D = A B + D of one warp, with A [16, 16] and B [16, 8] in bfloat16 and D [16, 8] in
// float32 (mma.sync.aligned.m16n8k16, from compute capability 8.0 on). For .cu files.
//
// The warp holds each matrix together: a lane has the elements that the PTX ISA gives it ("Matrix Fragments for
// mma.m16n8k16 with floating point type"). With g = lane / 4 and c = 2 (lane % 4), and p one of the two in a register,
// the lower half first:
//   A  register 0: (g, c + p)   1: (g + 8, c + p)   2: (g, c + 8 + p)   3: (g + 8, c + 8 + p)
//   B  register 0: (c + p, g)   1: (c + 8 + p, g)
//   D  values 0, 1: (g, c + p)   2, 3: (g + 8, c + p)
// So the four lanes of a quad share a row of D, and two D side by side are laid out as one A.
//
// All functions here are for the whole warp at once, except for round_to_a.
#include <cuda_runtime.h>

#include <cstdint>

#include "engine/cuda/bfloat16.h"
#include "engine/cuda/device_memory.h"
#include "engine/cuda/ops/warp.h"

// Before a loop over fragments: they are registers only where their indices are known when the kernel is compiled.
#ifdef STRIDER_CUDA_ON_CPU
#define STRIDER_UNROLL
#else
#define STRIDER_UNROLL _Pragma("unroll")
#endif

namespace strider::cuda {

inline constexpr int kMmaRows = 16;    // of A and D
inline constexpr int kMmaColumns = 8;  // of B and D
inline constexpr int kMmaDepth = 16;   // columns of A, rows of B
inline constexpr int kMmaPadding = 8;  // see load_a

struct FragmentA {
  std::uint32_t pairs[4];
};
struct FragmentB {
  std::uint32_t pairs[2];
};
struct FragmentD {
  float values[4];
};

/// Of the lane's value i of a D: its row and column.
__device__ inline int row_of_d(int lane, int i) {
  return lane / 4 + i / 2 * 8;
}
__device__ inline int column_of_d(int lane, int i) {
  return lane % 4 * 2 + i % 2;
}

#ifdef STRIDER_CUDA_ON_CPU

inline void multiply_add(FragmentD& d, const FragmentA& a, const FragmentB& b, int line = __builtin_LINE()) {
  cuda_on_cpu::multiply_add(d.values, a.pairs, b.pairs, line);
}

template <bool kTransposed, int kSize>
void load_matrices(SharedArray<Bfloat16, kSize>& from, int row, std::uint32_t (&pairs)[4],
                   int line = __builtin_LINE()) {
  cuda_on_cpu::load_matrices(from, row, kTransposed, pairs, line);
}

inline std::uint32_t round_pair(float lower, float upper) {
  return to_bfloat16(lower).bits | std::uint32_t{to_bfloat16(upper).bits} << 16U;
}

#else

__device__ inline void multiply_add(FragmentD& d, const FragmentA& a, const FragmentB& b) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d.values[0]), "+f"(d.values[1]), "+f"(d.values[2]), "+f"(d.values[3])
      : "r"(a.pairs[0]), "r"(a.pairs[1]), "r"(a.pairs[2]), "r"(a.pairs[3]), "r"(b.pairs[0]), "r"(b.pairs[1]));
}

// Four matrices [8, 8] (ldmatrix): lane 8 m + r says where row r of matrix m begins, a multiple of 16 bytes. The lane
// gets, of each, elements (lane / 4, lane % 4 * 2 + p), or of the transposed matrix.
template <bool kTransposed, int kSize>
__device__ void load_matrices(SharedArray<Bfloat16, kSize>& from, int row, std::uint32_t (&pairs)[4]) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(&from[row]));
  if constexpr (kTransposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(pairs[0]), "=r"(pairs[1]), "=r"(pairs[2]), "=r"(pairs[3])
                 : "r"(address)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(pairs[0]), "=r"(pairs[1]), "=r"(pairs[2]), "=r"(pairs[3])
                 : "r"(address)
                 : "memory");
  }
}

__device__ inline std::uint32_t round_pair(float lower, float upper) {
  std::uint32_t pair = 0;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(upper), "f"(lower));
  return pair;
}

#endif

/// A[i, k] = from[row + i, column + k] of a matrix with kStride elements a row. A stride that is an odd multiple of 16
/// bytes, as a multiple of 16 elements and kMmaPadding is, puts the eight rows that are read at once into different
/// banks.
template <int kStride, int kSize>
__device__ FragmentA load_a(SharedArray<Bfloat16, kSize>& from, int row, int column) {
  static_assert(kStride / 8 % 2 == 1 && kStride % 8 == 0);
  const int lane = lane_of_thread();
  FragmentA a;
  load_matrices<false>(from, (row + lane % 16) * kStride + column + lane / 16 * 8, a.pairs);
  return a;
}

/// Two B side by side: B[k, n] = from[row + k, column + n] with n < 16.
template <int kStride, int kSize>
__device__ void load_b(SharedArray<Bfloat16, kSize>& from, int row, int column, FragmentB (&b)[2]) {
  static_assert(kStride / 8 % 2 == 1 && kStride % 8 == 0);
  const int lane = lane_of_thread();
  std::uint32_t pairs[4];
  load_matrices<true>(from, (row + lane % 16) * kStride + column + lane / 16 * 8, pairs);
  b[0] = {{pairs[0], pairs[1]}};
  b[1] = {{pairs[2], pairs[3]}};
}

/// The same of the transposed matrix: B[k, n] = from[row + n, column + k].
template <int kStride, int kSize>
__device__ void load_b_transposed(SharedArray<Bfloat16, kSize>& from, int row, int column, FragmentB (&b)[2]) {
  static_assert(kStride / 8 % 2 == 1 && kStride % 8 == 0);
  const int lane = lane_of_thread();
  std::uint32_t pairs[4];
  load_matrices<false>(from, (row + lane / 16 * 8 + lane % 8) * kStride + column + lane / 8 % 2 * 8, pairs);
  b[0] = {{pairs[0], pairs[1]}};
  b[1] = {{pairs[2], pairs[3]}};
}

/// Two D side by side as an A of the next product, rounded to bfloat16.
__device__ inline FragmentA round_to_a(const FragmentD& left, const FragmentD& right) {
  return {{round_pair(left.values[0], left.values[1]), round_pair(left.values[2], left.values[3]),
           round_pair(right.values[0], right.values[1]), round_pair(right.values[2], right.values[3])}};
}

}  // namespace strider::cuda
