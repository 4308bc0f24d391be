#include "engine/cuda/runtime.h"

#include <fmt/format.h>

#include <stdexcept>

#include "base/error.h"

namespace strider::cuda {

void check(cudaError_t code, const char* what) {
  if (code == cudaSuccess) return;
  const bool is_full = code == cudaErrorMemoryAllocation;
  throw Error(fmt::format("CUDA could not {}: {}", what, cudaGetErrorString(code)),
              {.file = {},
               .place = {},
               .advice = is_full ? "Use a smaller BATCH_SIZE or model, a GPU with more free memory, or DEVICE=cpu."
                                 : "DEVICE=cpu trains without the GPU."});
}

void no_such_part(std::int64_t first, std::int64_t count, std::int64_t size) {
  throw std::logic_error(fmt::format("elements {} to {} of {}", first, first + count, size));
}

DeviceBytes::DeviceBytes(std::uint64_t bytes) {
  void* memory = nullptr;
  check(cudaMalloc(&memory, bytes), "take memory of the GPU");
  data_ = static_cast<std::byte*>(memory);
}

// Destructors have nobody to tell of an error; the next call finds it again.
DeviceBytes::~DeviceBytes() {
  cudaFree(data_);
}

PinnedBytes::PinnedBytes(std::uint64_t bytes) {
  void* memory = nullptr;
  check(cudaMallocHost(&memory, bytes), "take pinned memory");
  data_ = static_cast<std::byte*>(memory);
}

PinnedBytes::~PinnedBytes() {
  cudaFreeHost(data_);
}

Graph::~Graph() {
  if (exec_ != nullptr) cudaGraphExecDestroy(exec_);
}

Event::Event() {
  check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "make an event");
}

Event::~Event() {
  cudaEventDestroy(event_);
}

void Event::wait() const {
  check(cudaEventSynchronize(event_), "finish its work");
}

bool Event::is_reached() const {
  const cudaError_t code = cudaEventQuery(event_);
  if (code == cudaErrorNotReady) return false;
  check(code, "finish its work");
  return true;
}

Stream::Stream() {
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "make a stream");
}

Stream::~Stream() {
  cudaStreamDestroy(stream_);
}

void Stream::wait() const {
  check(cudaStreamSynchronize(stream_), "finish its work");
}

// Relaxed, since the first launch of a kernel or a product may load its code.
void Stream::begin_capture() const {
  check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), "record a step");
}

Graph Stream::end_capture() const {
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(stream_, &graph), "record a step");
  cudaGraphExec_t exec = nullptr;
  const cudaError_t code = cudaGraphInstantiate(&exec, graph, 0);
  cudaGraphDestroy(graph);
  check(code, "make a graph of a step");
  return Graph(exec);
}

void Stream::abandon_capture() const {
  cudaGraph_t graph = nullptr;
  if (cudaStreamEndCapture(stream_, &graph) == cudaSuccess && graph != nullptr) cudaGraphDestroy(graph);
}

void Stream::record(const Event& event) const {
  check(cudaEventRecord(event.get(), stream_), "mark a place in a stream");
}

void Stream::wait_for(const Event& event) const {
  check(cudaStreamWaitEvent(stream_, event.get(), 0), "wait for another stream");
}

void Stream::copy_to_device(void* to, const void* from, std::uint64_t bytes) const {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_), "copy to the GPU");
}

void Stream::copy_to_host(void* to, const void* from, std::uint64_t bytes) const {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_), "copy from the GPU");
}

void Stream::launch(const Graph& graph) const {
  check(cudaGraphLaunch(graph.get(), stream_), "launch a step");
}

}  // namespace strider::cuda
