// The runtime library's calls: memory, streams, graphs, events.
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "cuda_on_cpu/cuda_runtime.h"

namespace cuda_on_cpu {

using Work = std::function<void()>;

struct Graph {
  std::vector<Work> work;
};
struct GraphExec {
  std::vector<Work> work;
};
// A stream that waits for an event of one that is being captured becomes a branch of that graph. What is put into a
// branch runs as late as it may: where the stream that it came from waits for it.
struct Stream {
  std::deque<Work> waiting;
  std::unique_ptr<Graph> capturing;
  std::vector<Stream*> branches;  // of what is being captured
  Stream* captured_by = nullptr;  // of a branch
  std::vector<Work> branch;       // what nobody has waited for yet
};
struct Event {
  Stream* stream = nullptr;
  bool is_done = true;
  bool is_captured = false;
};

namespace {

constexpr std::size_t kWordBytes = 2;  // the smallest elements

struct Allocation {
  std::byte* begin = nullptr;
  std::size_t bytes = 0;
  Word* words = nullptr;  // zeroed when first touched, by the system
};

std::map<const std::byte*, Allocation>& allocations() {
  static std::map<const std::byte*, Allocation> instance;  // by their ends
  return instance;
}

std::int64_t g_copied_bytes = 0;

// Most accesses are to the memory of the one before.
Allocation* g_last = nullptr;

Allocation* allocation_of(const void* address) {
  const auto* byte = static_cast<const std::byte*>(address);
  if (g_last != nullptr && byte >= g_last->begin && byte < g_last->begin + g_last->bytes) return g_last;
  const auto found = allocations().upper_bound(byte);
  g_last = found == allocations().end() || byte < found->second.begin ? nullptr : &found->second;
  return g_last;
}

bool is_on_device(const void* memory, std::size_t bytes) {
  const Allocation* allocation = allocation_of(memory);
  return allocation != nullptr &&
         static_cast<const std::byte*>(memory) + bytes <= allocation->begin + allocation->bytes;
}

// What fails is thrown, and the rest of the stream is dropped, as on a device.
void drain(Stream& stream) {
  while (!stream.waiting.empty()) {
    const Work work = std::move(stream.waiting.front());
    stream.waiting.pop_front();
    try {
      work();
    } catch (...) {
      stream.waiting.clear();
      throw;
    }
  }
}

}  // namespace

void forget_last() {
  g_last = nullptr;
}

Word& global_word(const void* address) {
  Allocation* const allocation = allocation_of(address);
  if (allocation == nullptr) throw KernelError("a kernel reads or writes memory that is not the device's");
  return allocation
      ->words[static_cast<std::size_t>(static_cast<const std::byte*>(address) - allocation->begin) / kWordBytes];
}

std::int64_t copied_bytes() {
  return g_copied_bytes;
}

void enqueue(Stream* stream, Work work) {
  if (stream == nullptr) throw KernelError("the default stream is not used here");
  if (stream->capturing) {
    stream->capturing->work.push_back(std::move(work));
  } else if (stream->captured_by != nullptr) {
    stream->branch.push_back(std::move(work));
  } else {
    stream->waiting.push_back(std::move(work));
  }
}

}  // namespace cuda_on_cpu

using cuda_on_cpu::Allocation;
using cuda_on_cpu::allocations;
using cuda_on_cpu::KernelError;

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorNotReady:
      return "device not ready";
    case cudaErrorNoDevice:
      return "no CUDA-capable device is detected";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureUnjoined:
      return "capturing stream has unjoined work";
    case cudaErrorInvalidValue:
      return "invalid argument";
  }
  return "unknown error";
}

cudaError_t cudaGetLastError() {
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  auto* const begin = static_cast<std::byte*>(std::malloc(bytes));
  auto* const words =
      static_cast<cuda_on_cpu::Word*>(std::calloc(bytes / cuda_on_cpu::kWordBytes + 1, sizeof(cuda_on_cpu::Word)));
  if (begin == nullptr || words == nullptr) {
    std::free(begin);
    std::free(words);
    return cudaErrorMemoryAllocation;
  }
  std::memset(begin, 0xFF, bytes);
  allocations()[begin + bytes] = Allocation{begin, bytes, words};
  *memory = begin;
  return cudaSuccess;
}

cudaError_t cudaFree(void* memory) {
  if (memory == nullptr) return cudaSuccess;
  for (auto at = allocations().begin(); at != allocations().end(); ++at) {
    if (at->second.begin != memory) continue;
    std::free(at->second.begin);
    std::free(at->second.words);
    allocations().erase(at);
    cuda_on_cpu::forget_last();
    return cudaSuccess;
  }
  return cudaErrorInvalidValue;
}

cudaError_t cudaMallocHost(void** memory, std::size_t bytes) {
  *memory = std::malloc(bytes);
  return *memory == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}

cudaError_t cudaFreeHost(void* memory) {
  std::free(memory);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  if ((kind != cudaMemcpyDeviceToHost && !cuda_on_cpu::is_on_device(to, bytes)) ||
      (kind != cudaMemcpyHostToDevice && !cuda_on_cpu::is_on_device(from, bytes))) {
    return cudaErrorInvalidValue;
  }
  cuda_on_cpu::enqueue(stream, [=] {
    std::memcpy(to, from, bytes);
    if (kind != cudaMemcpyDeviceToDevice) cuda_on_cpu::g_copied_bytes += static_cast<std::int64_t>(bytes);
  });
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t stream) {
  if (!cuda_on_cpu::is_on_device(memory, bytes)) return cudaErrorInvalidValue;
  cuda_on_cpu::enqueue(stream, [=] { std::memset(memory, value, bytes); });
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new cuda_on_cpu::Stream;
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (stream->capturing || stream->captured_by != nullptr) return cudaErrorStreamCaptureUnsupported;
  cuda_on_cpu::drain(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (stream->capturing) return cudaErrorStreamCaptureUnsupported;
  stream->capturing = std::make_unique<cuda_on_cpu::Graph>();
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  if (!stream->capturing) return cudaErrorInvalidValue;
  bool is_joined = true;
  for (cuda_on_cpu::Stream* const branch : stream->branches) {
    is_joined = is_joined && branch->branch.empty();
    branch->branch.clear();
    branch->captured_by = nullptr;
  }
  stream->branches.clear();
  const std::unique_ptr<cuda_on_cpu::Graph> captured = std::move(stream->capturing);
  if (!is_joined) return cudaErrorStreamCaptureUnjoined;
  *graph = new cuda_on_cpu::Graph(*captured);
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  *exec = new cuda_on_cpu::GraphExec{graph->work};
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  for (const cuda_on_cpu::Work& work : exec->work) cuda_on_cpu::enqueue(stream, work);
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new cuda_on_cpu::Event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  event->stream = stream;
  event->is_captured = stream->capturing || stream->captured_by != nullptr;
  if (event->is_captured) return cudaSuccess;
  event->is_done = false;
  cuda_on_cpu::enqueue(stream, [event] { event->is_done = true; });
  return cudaSuccess;
}

// Runs the stream up to the event, and no further.
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  while (!event->is_done && !event->stream->waiting.empty()) {
    const cuda_on_cpu::Work work = std::move(event->stream->waiting.front());
    event->stream->waiting.pop_front();
    work();
  }
  return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  std::deque<cuda_on_cpu::Work>& waiting = event->stream->waiting;
  if (!event->is_done && !waiting.empty()) {
    const cuda_on_cpu::Work work = std::move(waiting.front());
    waiting.pop_front();
    work();
  }
  return event->is_done ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  if (event->is_captured) {
    cuda_on_cpu::Stream* const other = event->stream;
    if (stream->capturing && other->captured_by == stream) {
      std::vector<cuda_on_cpu::Work>& work = stream->capturing->work;
      work.insert(work.end(), other->branch.begin(), other->branch.end());
      other->branch.clear();
      return cudaSuccess;
    }
    if (!other->capturing || stream->capturing) return cudaErrorInvalidValue;
    if (stream->captured_by == nullptr) other->branches.push_back(stream);
    stream->captured_by = other;
    return cudaSuccess;
  }
  cuda_on_cpu::enqueue(stream, [event] { cudaEventSynchronize(event); });
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
