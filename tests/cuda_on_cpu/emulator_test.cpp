// Whether the emulator finds what is wrong with a kernel.
#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "cuda_on_cpu/cuda_runtime.h"
#include "engine/cuda/ops/mma.h"
#include "engine/cuda/runtime.h"

namespace strider {
namespace {

using cuda::DeviceSpan;
using cuda::SharedArray;

constexpr int kThreads = 64;

class Emulator : public testing::Test {
 protected:
  void TearDown() override { cuda_on_cpu::run_backwards(false); }

  // Device memory that holds 0, 1, 2 ...
  DeviceSpan<float> counted(std::int64_t count) {
    memory.emplace_back(static_cast<std::uint64_t>(count) * sizeof(float));
    const DeviceSpan<float> span(reinterpret_cast<float*>(memory.back().data()), count);
    std::vector<float> values(static_cast<std::size_t>(count));
    std::iota(values.begin(), values.end(), 0.0F);
    stream.copy_to_device(span, values.data());
    stream.wait();
    return span;
  }

  template <typename... Parameters, typename... Arguments>
  void run(unsigned blocks, int threads, void (*kernel)(Parameters...), const Arguments&... arguments) {
    cuda::launch(stream.get(), blocks, threads, kernel, arguments...);
    stream.wait();
  }

  // What the kernel is found to do wrong, in either order of the threads; empty: nothing.
  template <typename... Parameters, typename... Arguments>
  std::string fault(unsigned blocks, int threads, void (*kernel)(Parameters...), const Arguments&... arguments) {
    std::string found;
    for (const bool backwards : {false, true}) {
      cuda_on_cpu::run_backwards(backwards);
      std::string now;
      try {
        run(blocks, threads, kernel, arguments...);
      } catch (const cuda_on_cpu::KernelError& error) {
        now = error.what();
      }
      EXPECT_EQ(found.empty() && backwards, now.empty() && backwards) << "only one order of threads finds it";
      found = now;
    }
    return found;
  }

  std::vector<float> values(DeviceSpan<float> span) {
    std::vector<float> result(static_cast<std::size_t>(span.size));
    stream.copy_to_host<float>(result.data(), span);
    stream.wait();
    return result;
  }

  cuda::Stream stream;
  std::vector<cuda::DeviceBytes> memory;
};

// Each block turns its part of x around.
__global__ void reverse(DeviceSpan<float> x) {
  __shared__ SharedArray<float, kThreads> part;
  const int thread = static_cast<int>(threadIdx.x);
  const int first = static_cast<int>(blockIdx.x) * kThreads;
  part[thread] = x[first + thread];
  __syncthreads();
  x[first + thread] = part[kThreads - 1 - thread];
}

__global__ void reverse_without_barrier(DeviceSpan<float> x) {
  __shared__ SharedArray<float, kThreads> part;
  const int thread = static_cast<int>(threadIdx.x);
  part[thread] = x[thread];
  x[thread] = part[kThreads - 1 - thread];
}

// The barrier between a read and the next write is missing, which no result of fibers shows.
__global__ void sum_without_second_barrier(DeviceSpan<float> x) {
  __shared__ SharedArray<float, kThreads> part;
  const int thread = static_cast<int>(threadIdx.x);
  float sum = 0.0F;
  for (int round = 0; round < 2; ++round) {
    part[thread] = x[thread];
    __syncthreads();
    sum += part[(thread + 1) % kThreads];
  }
  x[thread] = sum;
}

__global__ void shift_off_by_one(DeviceSpan<float> x) {
  const int thread = static_cast<int>(threadIdx.x);
  const float next = x[thread + 1];
  __syncthreads();
  x[thread] = next;
}

__global__ void shared_off_by_one(DeviceSpan<float> x) {
  __shared__ SharedArray<float, kThreads> part;
  const int thread = static_cast<int>(threadIdx.x);
  part[thread + 1] = x[thread];
}

// Rows of `width` elements, a thread each, at a stride that is one too small.
__global__ void wrong_stride(int width, DeviceSpan<float> x) {
  const int row = static_cast<int>(threadIdx.x);
  for (int c = 0; c < width; ++c) x[row * (width - 1) + c] = static_cast<float>(c);
}

// Blocks are not ordered, whatever barriers they pass.
__global__ void blocks_meet(DeviceSpan<float> x) {
  if (threadIdx.x == 0) x[0] = static_cast<float>(blockIdx.x);
  __syncthreads();
}

__global__ void one_block_reads_what_another_writes(DeviceSpan<float> x) {
  if (threadIdx.x != 0) return;
  if (blockIdx.x == 0) x[0] = 1.0F;
  if (blockIdx.x == 1) x[1] = x[0];
}

__global__ void half_the_block_waits() {
  if (threadIdx.x < kThreads / 2) __syncthreads();
}

__global__ void waits_at_two_places(DeviceSpan<float> x) {
  if (threadIdx.x < kThreads / 2) {
    __syncthreads();
  } else {
    x[0] = 1.0F;
    __syncthreads();
  }
}

__global__ void half_the_warp_shuffles(DeviceSpan<float> x) {
  if (threadIdx.x < 16) x[static_cast<int>(threadIdx.x)] = cuda::warp_sum(1.0F);
}

__global__ void reads_what_nobody_wrote(DeviceSpan<float> x) {
  __shared__ SharedArray<float, kThreads> part;
  if (threadIdx.x > 0) part[static_cast<int>(threadIdx.x)] = 1.0F;
  __syncthreads();
  x[static_cast<int>(threadIdx.x)] = part[static_cast<int>(threadIdx.x)];
}

// Between threads of one warp __syncwarp is enough, between warps it is not.
__global__ void exchange_in_warps(int distance, DeviceSpan<float> x) {
  __shared__ SharedArray<float, kThreads> part;
  const int thread = static_cast<int>(threadIdx.x);
  for (int round = 0; round < 3; ++round) {
    part[thread] = x[thread];
    __syncwarp();
    x[thread] = part[thread ^ distance];
    __syncwarp();
  }
}

__global__ void sum_of_warps(DeviceSpan<float> x) {
  const int thread = static_cast<int>(threadIdx.x);
  x[thread] = cuda::warp_sum(x[thread]) + 1000.0F * cuda::warp_max(x[thread]);
}

__global__ void pass_down(DeviceSpan<float> x) {
  const int thread = static_cast<int>(threadIdx.x);
  x[thread] = __shfl_down_sync(~0U, static_cast<float>(x[thread]), 3) +
              __shfl_sync(~0U, 100.0F * static_cast<float>(thread), 5);
}

__global__ void count_threads(int* counter) {
  atomicAdd(counter, 1);
}

TEST_F(Emulator, RunsACorrectKernelInAnyOrder) {
  for (const bool backwards : {false, true}) {
    cuda_on_cpu::run_backwards(backwards);
    const DeviceSpan<float> x = counted(3 * kThreads);
    run(3, kThreads, reverse, x);
    const std::vector<float> reversed = values(x);
    for (std::size_t i = 0; i < reversed.size(); ++i) {
      EXPECT_EQ(reversed[i], static_cast<float>(i / kThreads * kThreads + (kThreads - 1 - i % kThreads)));
    }
  }
}

TEST_F(Emulator, FindsAMissingBarrier) {
  EXPECT_NE(fault(1, kThreads, reverse_without_barrier, counted(kThreads)), "");
  EXPECT_NE(fault(1, kThreads, sum_without_second_barrier, counted(kThreads)).find("race"), std::string::npos);
}

TEST_F(Emulator, FindsAnOffByOne) {
  EXPECT_NE(fault(1, kThreads, shift_off_by_one, counted(kThreads)).find("global element 64 of 64"), std::string::npos);
  EXPECT_NE(fault(1, kThreads, shared_off_by_one, counted(kThreads)).find("shared element 64 of 64"),
            std::string::npos);
}

TEST_F(Emulator, FindsAWrongStride) {
  EXPECT_NE(fault(1, 8, wrong_stride, 4, counted(32)).find("race"), std::string::npos);
}

TEST_F(Emulator, FindsBlocksThatMeet) {
  EXPECT_NE(fault(2, kThreads, blocks_meet, counted(1)).find("race"), std::string::npos);
  EXPECT_NE(fault(2, 1, one_block_reads_what_another_writes, counted(2)).find("race"), std::string::npos);
}

TEST_F(Emulator, FindsBarriersThatNotAllReach) {
  EXPECT_NE(fault(1, kThreads, half_the_block_waits).find("have ended"), std::string::npos);
  EXPECT_NE(fault(1, kThreads, waits_at_two_places, counted(1)), "");
  EXPECT_NE(fault(1, 32, half_the_warp_shuffles, counted(32)).find("for their warp"), std::string::npos);
}

TEST_F(Emulator, FindsSharedMemoryThatNobodyWrote) {
  EXPECT_NE(fault(1, kThreads, reads_what_nobody_wrote, counted(kThreads)).find("nobody has written"),
            std::string::npos);
  // What an earlier block wrote does not count.
  run(1, kThreads, reverse, counted(kThreads));
  EXPECT_NE(fault(2, kThreads, reads_what_nobody_wrote, counted(kThreads)).find("nobody has written"),
            std::string::npos);
}

TEST_F(Emulator, KnowsHowFarAWarpsBarrierGoes) {
  EXPECT_EQ(fault(1, kThreads, exchange_in_warps, 5, counted(kThreads)), "");
  EXPECT_NE(fault(1, kThreads, exchange_in_warps, 32, counted(kThreads)), "");
}

TEST_F(Emulator, Shuffles) {
  for (const bool backwards : {false, true}) {
    cuda_on_cpu::run_backwards(backwards);
    const DeviceSpan<float> x = counted(kThreads);
    run(1, kThreads, sum_of_warps, x);
    const std::vector<float> sums = values(x);
    EXPECT_EQ(sums[0], 496.0F + 31000.0F);
    EXPECT_EQ(sums[31], sums[0]);
    EXPECT_EQ(sums[40], 1520.0F + 63000.0F);
    const DeviceSpan<float> y = counted(kThreads);
    run(1, kThreads, pass_down, y);
    const std::vector<float> passed = values(y);
    EXPECT_EQ(passed[0], 3.0F + 500.0F);
    EXPECT_EQ(passed[30], 30.0F + 500.0F);
    EXPECT_EQ(passed[33], 36.0F + 3700.0F);
  }
}

// D = A B + D, by the layouts that the PTX ISA documents, of matrices that lie row by row.
__global__ void multiply_add_by_layout(DeviceSpan<const cuda::Bfloat16> a, DeviceSpan<const cuda::Bfloat16> b,
                                       DeviceSpan<float> d) {
  const int group = cuda::lane_of_thread() / 4;
  const int in_group = cuda::lane_of_thread() % 4;
  const auto put = [](std::uint32_t& pair, int i, cuda::Bfloat16 value) {
    pair |= std::uint32_t{value.bits} << static_cast<unsigned>(i % 2 * 16);
  };
  cuda::FragmentA fragment_a = {};
  cuda::FragmentB fragment_b = {};
  cuda::FragmentD fragment_d = {};
  for (int i = 0; i < 8; ++i) {
    const int row = i < 2 || (i >= 4 && i < 6) ? group : group + 8;
    const int column = in_group * 2 + (i & 1) + (i >= 4 ? 8 : 0);
    put(fragment_a.pairs[i / 2], i, a[row * 16 + column]);
  }
  for (int i = 0; i < 4; ++i) {
    const int row = in_group * 2 + (i & 1) + (i >= 2 ? 8 : 0);
    put(fragment_b.pairs[i / 2], i, b[row * 8 + group]);
  }
  const auto place = [&](int i) { return (i < 2 ? group : group + 8) * 8 + in_group * 2 + (i & 1); };
  for (int i = 0; i < 4; ++i) fragment_d.values[i] = d[place(i)];
  cuda::multiply_add(fragment_d, fragment_a, fragment_b);
  for (int i = 0; i < 4; ++i) d[place(i)] = fragment_d.values[i];
}

// D = A B of parts of two larger matrices that went through shared memory: A from (16, 16) on, and B [16, 16] from
// (16, 0) on, as it lies there or transposed.
constexpr int kPartStride = 32 + cuda::kMmaPadding;

__global__ void multiply_parts(bool transposed, DeviceSpan<const cuda::Bfloat16> a, DeviceSpan<const cuda::Bfloat16> b,
                               DeviceSpan<float> d) {
  __shared__ SharedArray<cuda::Bfloat16, 32 * kPartStride> parts_a;
  __shared__ SharedArray<cuda::Bfloat16, 32 * kPartStride> parts_b;
  for (int i = static_cast<int>(threadIdx.x); i < 32 * 32; i += 32) {
    parts_a[i / 32 * kPartStride + i % 32] = a[i];
    parts_b[i / 32 * kPartStride + i % 32] = b[i];
  }
  __syncwarp();
  const cuda::FragmentA fragment_a = cuda::load_a<kPartStride>(parts_a, 16, 16);
  cuda::FragmentB fragment_b[2];
  if (transposed) {
    cuda::load_b_transposed<kPartStride>(parts_b, 16, 0, fragment_b);
  } else {
    cuda::load_b<kPartStride>(parts_b, 16, 0, fragment_b);
  }
  const int lane = cuda::lane_of_thread();
  for (int n = 0; n < 2; ++n) {
    cuda::FragmentD fragment_d = {};
    cuda::multiply_add(fragment_d, fragment_a, fragment_b[n]);
    for (int i = 0; i < 4; ++i) {
      d[cuda::row_of_d(lane, i) * 16 + n * 8 + cuda::column_of_d(lane, i)] = fragment_d.values[i];
    }
  }
}

// (X Y) rounded, times Z: D as the A of the next product.
__global__ void multiply_twice(DeviceSpan<const cuda::Bfloat16> x, DeviceSpan<float> d) {
  constexpr int kStride = 16 + cuda::kMmaPadding;
  __shared__ SharedArray<cuda::Bfloat16, 16 * kStride> part;
  for (int i = static_cast<int>(threadIdx.x); i < 16 * 16; i += 32) part[i / 16 * kStride + i % 16] = x[i];
  __syncwarp();
  cuda::FragmentB b[2];
  cuda::load_b<kStride>(part, 0, 0, b);
  cuda::FragmentA a = cuda::load_a<kStride>(part, 0, 0);
  cuda::FragmentD product[2] = {};
  for (int round = 0; round < 2; ++round) {
    for (int n = 0; n < 2; ++n) {
      product[n] = {};
      cuda::multiply_add(product[n], a, b[n]);
    }
    a = cuda::round_to_a(product[0], product[1]);
  }
  const int lane = cuda::lane_of_thread();
  for (int n = 0; n < 2; ++n) {
    for (int i = 0; i < 4; ++i) {
      d[cuda::row_of_d(lane, i) * 16 + n * 8 + cuda::column_of_d(lane, i)] = product[n].values[i];
    }
  }
}

__global__ void half_the_warp_multiplies(DeviceSpan<float> d) {
  cuda::FragmentD sums = {};
  if (threadIdx.x < 16) cuda::multiply_add(sums, cuda::FragmentA(), cuda::FragmentB());
  d[static_cast<int>(threadIdx.x)] = sums.values[0];
}

__global__ void loads_from_row(int row, int waits, DeviceSpan<float> d) {
  __shared__ SharedArray<cuda::Bfloat16, 16 * 8> part;
  const int thread = static_cast<int>(threadIdx.x);
  for (int i = thread; i < 16 * 8; i += 32) part[i] = {};
  if (waits != 0) __syncwarp();
  std::uint32_t pairs[4];
  cuda::load_matrices<false>(part, row + thread % 8 * 8, pairs);
  d[thread] = static_cast<float>(pairs[0]);
}

__global__ void copies_four(int first, DeviceSpan<const float> x, DeviceSpan<float> y) {
  struct alignas(16) Four {
    float values[4];
  };
  cuda::store_vector(y, 0, cuda::load_vector<Four>(x, first));
}

TEST_F(Emulator, MultipliesOnTensorCores) {
  std::vector<cuda::Bfloat16> a(32 * 32), b(32 * 32);
  std::mt19937 generator(1);
  std::normal_distribution<float> normal;
  for (cuda::Bfloat16& value : a) value = cuda::to_bfloat16(normal(generator));
  for (cuda::Bfloat16& value : b) value = cuda::to_bfloat16(normal(generator));
  const auto put = [&](const std::vector<cuda::Bfloat16>& values) {
    memory.emplace_back(values.size() * sizeof(cuda::Bfloat16));
    const DeviceSpan<cuda::Bfloat16> span(reinterpret_cast<cuda::Bfloat16*>(memory.back().data()),
                                          static_cast<std::int64_t>(values.size()));
    stream.copy_to_device(span, values.data());
    stream.wait();
    return DeviceSpan<const cuda::Bfloat16>(span);
  };
  const DeviceSpan<const cuda::Bfloat16> d_a = put(a);
  const DeviceSpan<const cuda::Bfloat16> d_b = put(b);
  const auto at = [](const std::vector<cuda::Bfloat16>& from, int i) {
    return double{cuda::to_float(from[static_cast<std::size_t>(i)])};
  };
  for (const bool backwards : {false, true}) {
    cuda_on_cpu::run_backwards(backwards);
    const DeviceSpan<float> d = counted(16 * 8);
    run(1, 32, multiply_add_by_layout, d_a, d_b, d);
    const std::vector<float> sums = values(d);
    for (int i = 0; i < 16 * 8; ++i) {
      double expected = i;
      for (int k = 0; k < 16; ++k) expected += at(a, i / 8 * 16 + k) * at(b, k * 8 + i % 8);
      EXPECT_NEAR(sums[static_cast<std::size_t>(i)], expected, 1e-4) << i;
    }
    for (const bool transposed : {false, true}) {
      const DeviceSpan<float> parts = counted(16 * 16);
      run(1, 32, multiply_parts, transposed, d_a, d_b, parts);
      const std::vector<float> products = values(parts);
      for (int i = 0; i < 16 * 16; ++i) {
        double expected = 0.0;
        for (int k = 0; k < 16; ++k) {
          const int in_b = transposed ? (16 + i % 16) * 32 + k : (16 + k) * 32 + i % 16;
          expected += at(a, (16 + i / 16) * 32 + 16 + k) * at(b, in_b);
        }
        EXPECT_NEAR(products[static_cast<std::size_t>(i)], expected, 1e-5) << i;
      }
    }
    const DeviceSpan<float> twice = counted(16 * 16);
    run(1, 32, multiply_twice, d_a, twice);
    const std::vector<float> products = values(twice);
    for (int i = 0; i < 16 * 16; ++i) {
      double expected = 0.0;
      for (int j = 0; j < 16; ++j) {
        double once = 0.0;
        for (int k = 0; k < 16; ++k) once += at(a, i / 16 * 16 + k) * at(a, k * 16 + j);
        expected += once * at(a, j * 16 + i % 16);
      }
      EXPECT_NEAR(products[static_cast<std::size_t>(i)], expected, 0.3) << i;  // of about 60, rounded to 8 bits
    }
  }
}

TEST_F(Emulator, FindsLanesThatDoNotMultiply) {
  EXPECT_NE(fault(1, 32, half_the_warp_multiplies, counted(32)).find("for their warp"), std::string::npos);
  EXPECT_NE(fault(1, 16, half_the_warp_multiplies, counted(32)).find("whole warp"), std::string::npos);
}

TEST_F(Emulator, FindsWhatMatricesAreReadWrongly) {
  EXPECT_EQ(fault(1, 32, loads_from_row, 0, 1, counted(32)), "");
  EXPECT_NE(fault(1, 32, loads_from_row, 0, 0, counted(32)).find("race"), std::string::npos);
  EXPECT_NE(fault(1, 32, loads_from_row, 4, 1, counted(32)).find("aligned"), std::string::npos);
  EXPECT_NE(fault(1, 32, loads_from_row, 72, 1, counted(32)).find(" of 128"), std::string::npos);
}

TEST_F(Emulator, FindsVectorsOutOfPlace) {
  const DeviceSpan<float> x = counted(8);
  EXPECT_EQ(fault(1, 1, copies_four, 4, DeviceSpan<const float>(x), counted(4)), "");
  EXPECT_NE(fault(1, 1, copies_four, 2, DeviceSpan<const float>(x), counted(4)).find("aligned"), std::string::npos);
  EXPECT_NE(fault(1, 1, copies_four, 8, DeviceSpan<const float>(x), counted(4)).find("global element 8 of 8"),
            std::string::npos);
}

TEST_F(Emulator, AddsAtomically) {
  cuda::DeviceBytes bytes(sizeof(int));
  const DeviceSpan<int> counter(reinterpret_cast<int*>(bytes.data()), 1);
  stream.clear(counter);
  run(3, kThreads, count_threads, counter.data);
  int count = 0;
  stream.copy_to_host<int>(&count, counter);
  stream.wait();
  EXPECT_EQ(count, 3 * kThreads);
}

// Work is done when somebody waits for it, not before.
TEST_F(Emulator, StreamsAreLazy) {
  const DeviceSpan<float> x = counted(4);
  std::vector<float> out(4, -1.0F);
  stream.copy_to_host<float>(out.data(), x);
  EXPECT_EQ(out[3], -1.0F);
  stream.wait();
  EXPECT_EQ(out[3], 3.0F);
}

TEST_F(Emulator, GraphsReadTheirInputsWhenTheyRun) {
  const DeviceSpan<float> x = counted(kThreads);
  std::vector<float> input(kThreads, 1.0F);
  const cuda::Graph graph = stream.capture([&] {
    stream.copy_to_device(x, input.data());
    cuda::launch(stream.get(), 1U, kThreads, reverse, x);
  });
  stream.wait();
  EXPECT_EQ(values(x)[1], 1.0F);  // counted: nothing has run
  for (const float value : {5.0F, 7.0F}) {
    input.back() = value;
    const std::int64_t before = cuda_on_cpu::launches();
    stream.launch(graph);
    EXPECT_EQ(values(x).front(), value);
    EXPECT_EQ(cuda_on_cpu::launches(), before + 1);
  }
}

// A branch's work is done where somebody waits for the branch, and what nobody waits for is an error.
TEST_F(Emulator, BranchesOfAGraphRunWhereTheyAreWaitedFor) {
  const DeviceSpan<float> x = counted(4);
  const DeviceSpan<float> copies = counted(8);
  const cuda::Stream branch;
  const cuda::Event forked, joined;
  const auto record = [&](bool joins) {
    return stream.capture([&] {
      stream.record(forked);
      branch.wait_for(forked);
      branch.clear(x);
      branch.record(joined);
      stream.copy_on_device<float>(cuda::part(copies, 0, 4), x);
      if (joins) stream.wait_for(joined);
      stream.copy_on_device<float>(cuda::part(copies, 4, 4), x);
    });
  };
  EXPECT_THROW(record(false), std::exception);
  const cuda::Graph graph = record(true);
  branch.wait();  // has nothing to do by itself
  stream.launch(graph);
  EXPECT_EQ(values(copies), (std::vector<float>{0.0F, 1.0F, 2.0F, 3.0F, 0.0F, 0.0F, 0.0F, 0.0F}));
}

TEST_F(Emulator, RefusesCopiesBeyondTheirMemory) {
  const DeviceSpan<float> x = counted(4);
  std::vector<float> out(5);
  EXPECT_THROW(stream.copy_to_host<float>(out.data(), DeviceSpan<const float>(x.data, 5)), std::exception);
}

}  // namespace
}  // namespace strider
