#pragma once
// CUDA for a host compiler, for tests: what engine/cuda/ uses of the language and of the runtime library, under the
// names that they have in NVIDIA's cuda_runtime.h. One thread at a time may use it.
//
// A kernel's blocks run one after the other, a block's threads as fibers that change where they wait for each other: at
// __syncthreads, __syncwarp and shuffles. Memory is checked (checked.h). So is waiting: a barrier that not all threads
// of the block reach, or that some reach at another place, is an error, and so is a shuffle without the whole warp.
// What a kernel does wrong is thrown as a KernelError by the call that makes its stream go on.
//
// Streams are lazy: what is put into one runs when the host waits for it. Whoever reads a result without waiting, or
// changes what a copy still has to read, gets wrong values here every time and not once in a thousand.
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

#include "cuda_on_cpu/checked.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static  // blocks run one after the other

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned in_x = 1, unsigned in_y = 1, unsigned in_z = 1) : x(in_x), y(in_y), z(in_z) {}
};

// Of the thread that runs now.
extern dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace cuda_on_cpu {

struct KernelError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline constexpr int kWarp = 32;

void block_barrier(int line);
void warp_barrier(int line);
/// Gives `bits` to the warp, and back what the thread in lane `source` gave.
std::uint64_t exchange(std::uint64_t bits, int source, int line);
/// What a thread gives to its warp at once, and what the threads of a warp gave.
using Gift = std::array<std::uint64_t, 3>;
using WarpGifts = std::array<const Gift*, kWarp>;
/// Gives to the warp, and back what all of its lanes gave, which stays until this thread's next exchange.
WarpGifts exchange_all(const Gift& gift, int line);
int lane();

/// Runs the kernel for all threads of all blocks. With `backwards` threads and blocks are taken from the last to the
/// first: a correct kernel gives the same.
void run_kernel(dim3 grid, dim3 block, const std::function<void()>& thread);
void run_backwards(bool backwards);

struct Stream;
struct Graph;
struct GraphExec;
struct Event;
/// Puts work into a stream, or into the graph that is being captured from it.
void enqueue(Stream* stream, std::function<void()> work);
/// Launches of kernels so far, those of graphs included.
std::int64_t launches();
/// Bytes that were copied between host and device so far.
std::int64_t copied_bytes();

template <typename T>
T shuffle(T value, int source, int line) {
  static_assert(sizeof(T) <= sizeof(std::uint64_t));
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = exchange(bits, source, line);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

}  // namespace cuda_on_cpu

inline void __syncthreads(int line = __builtin_LINE()) {
  cuda_on_cpu::block_barrier(line);
}
inline void __syncwarp(unsigned = ~0U, int line = __builtin_LINE()) {
  cuda_on_cpu::warp_barrier(line);
}
template <typename T>
T __shfl_xor_sync(unsigned, T value, int lanes, int = cuda_on_cpu::kWarp, int line = __builtin_LINE()) {
  return cuda_on_cpu::shuffle(value, cuda_on_cpu::lane() ^ lanes, line);
}
template <typename T>
T __shfl_sync(unsigned, T value, int source, int = cuda_on_cpu::kWarp, int line = __builtin_LINE()) {
  return cuda_on_cpu::shuffle(value, source, line);
}
template <typename T>
T __shfl_down_sync(unsigned, T value, unsigned lanes, int = cuda_on_cpu::kWarp, int line = __builtin_LINE()) {
  const int source = cuda_on_cpu::lane() + static_cast<int>(lanes);
  return cuda_on_cpu::shuffle(value, source < cuda_on_cpu::kWarp ? source : cuda_on_cpu::lane(), line);
}
// Of whole numbers alone: sums of floats in any order have other bits in every run.
inline int atomicAdd(int* address, int value) {
  const int old = *address;
  *address = old + value;
  return old;
}
inline unsigned atomicAdd(unsigned* address, unsigned value) {
  const unsigned old = *address;
  *address = old + value;
  return old;
}

using cudaStream_t = cuda_on_cpu::Stream*;
using cudaGraph_t = cuda_on_cpu::Graph*;
using cudaGraphExec_t = cuda_on_cpu::GraphExec*;
using cudaEvent_t = cuda_on_cpu::Event*;

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorNoDevice = 100,
  cudaErrorNotReady = 600,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureUnjoined = 904,
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeRelaxed = 2 };
inline constexpr unsigned cudaStreamNonBlocking = 1;
inline constexpr unsigned cudaEventDisableTiming = 2;

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  std::size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
};

const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaMalloc(void** memory, std::size_t bytes);  // filled with ones: NaN as floats, -1 as whole numbers
cudaError_t cudaFree(void* memory);
cudaError_t cudaMallocHost(void** memory, std::size_t bytes);
cudaError_t cudaFreeHost(void* memory);
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventQuery(cudaEvent_t event);  // the stream does one thing more each time it is asked
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);

template <typename... Parameters, typename... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  const dim3 grid = config->gridDim;
  const dim3 block = config->blockDim;
  if (grid.x * grid.y * grid.z == 0 || block.x * block.y * block.z == 0 || block.x * block.y * block.z > 1024) {
    return cudaErrorInvalidValue;
  }
  cuda_on_cpu::enqueue(config->stream, [=] {
    cuda_on_cpu::run_kernel(grid, block, [&] { kernel(static_cast<Parameters>(arguments)...); });
  });
  return cudaSuccess;
}

using std::isfinite;

inline float rsqrtf(float x) {
  return 1.0F / std::sqrt(x);
}

#include "cuda_on_cpu/tensor_cores.h"
