// Whether the emulator finds what is wrong with a kernel.
#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "cuda_on_cpu/cuda_runtime.h"
#include "engine/cuda/ops/warp.h"
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

TEST_F(Emulator, RefusesCopiesBeyondTheirMemory) {
  const DeviceSpan<float> x = counted(4);
  std::vector<float> out(5);
  EXPECT_THROW(stream.copy_to_host<float>(out.data(), DeviceSpan<const float>(x.data, 5)), std::exception);
}

}  // namespace
}  // namespace strider
