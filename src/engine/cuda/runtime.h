#pragma once
// The runtime library behind types that own what they name. Errors become Error, with the call that failed.
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "engine/cuda/device_memory.h"

namespace strider::cuda {

/// Throws Error unless `code` is cudaSuccess. `what` completes "CUDA could not ...".
void check(cudaError_t code, const char* what);

/// Global memory of the device. Its contents are undefined.
class DeviceBytes {
 public:
  DeviceBytes() = default;
  explicit DeviceBytes(std::uint64_t bytes);
  ~DeviceBytes();
  DeviceBytes(DeviceBytes&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  DeviceBytes& operator=(DeviceBytes&& other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }
  std::byte* data() const { return data_; }

 private:
  std::byte* data_ = nullptr;
};

/// Host memory that the device reads and writes by itself.
class PinnedBytes {
 public:
  explicit PinnedBytes(std::uint64_t bytes);
  ~PinnedBytes();
  PinnedBytes(const PinnedBytes&) = delete;
  PinnedBytes& operator=(const PinnedBytes&) = delete;
  std::byte* data() const { return data_; }

 private:
  std::byte* data_ = nullptr;
};

/// Launches that were recorded once and go to the device as one.
class Graph {
 public:
  Graph() = default;
  explicit Graph(cudaGraphExec_t exec) : exec_(exec) {}
  ~Graph();
  Graph(Graph&& other) noexcept : exec_(std::exchange(other.exec_, nullptr)) {}
  Graph& operator=(Graph&& other) noexcept {
    std::swap(exec_, other.exec_);
    return *this;
  }
  cudaGraphExec_t get() const { return exec_; }

 private:
  cudaGraphExec_t exec_ = nullptr;
};

/// A place in a stream that the host can wait for.
class Event {
 public:
  Event();
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  /// Until the stream has come to where Stream::record() put it.
  void wait() const;
  bool is_reached() const;
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Work for the device, in order.
class Stream {
 public:
  Stream();
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  cudaStream_t get() const { return stream_; }

  /// Waits until all work is done.
  void wait() const;
  /// What record() puts into the stream, as a graph; none of it runs.
  template <typename Record>
  Graph capture(const Record& record) const {
    begin_capture();
    try {
      record();
    } catch (...) {
      abandon_capture();
      throw;
    }
    return end_capture();
  }
  void launch(const Graph& graph) const;
  void record(const Event& event) const;
  /// What is put into this stream from now on waits for the other stream's event.
  void wait_for(const Event& event) const;

  /// Copies of what lies on either side until wait(); host memory that is not pinned may be used, too.
  void copy_to_device(void* to, const void* from, std::uint64_t bytes) const;
  void copy_to_host(void* to, const void* from, std::uint64_t bytes) const;
  template <typename T>
  void copy_to_device(DeviceSpan<T> to, const T* from) const {
    check(cudaMemcpyAsync(to.data, from, bytes_of(to), cudaMemcpyHostToDevice, stream_), "copy to the GPU");
  }
  template <typename T>
  void copy_to_host(T* to, DeviceSpan<const T> from) const {
    check(cudaMemcpyAsync(to, from.data, bytes_of(from), cudaMemcpyDeviceToHost, stream_), "copy from the GPU");
  }
  template <typename T>
  void copy_on_device(DeviceSpan<T> to, DeviceSpan<const T> from) const {
    check(cudaMemcpyAsync(to.data, from.data, bytes_of(from), cudaMemcpyDeviceToDevice, stream_), "copy on the GPU");
  }
  template <typename T>
  void clear(DeviceSpan<T> memory) const {
    check(cudaMemsetAsync(memory.data, 0, bytes_of(memory), stream_), "clear memory");
  }

 private:
  template <typename T>
  static std::size_t bytes_of(DeviceSpan<T> memory) {
    return static_cast<std::size_t>(memory.size) * sizeof(T);
  }
  void begin_capture() const;
  Graph end_capture() const;
  void abandon_capture() const;

  cudaStream_t stream_ = nullptr;
};

/// Puts a kernel into the stream.
template <typename... Parameters, typename... Arguments>
void launch(cudaStream_t stream, dim3 blocks, int threads, void (*kernel)(Parameters...),
            const Arguments&... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = blocks;
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.stream = stream;
  check(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...), "launch a kernel");
}

/// Blocks of `each` that hold `count`.
inline unsigned blocks_for(std::int64_t count, std::int64_t each) {
  return static_cast<unsigned>((count + each - 1) / each);
}

/// Elements [first, first + count); throws std::logic_error where there are fewer.
template <typename T>
DeviceSpan<T> part(DeviceSpan<T> whole, std::int64_t first, std::int64_t count);

[[noreturn]] void no_such_part(std::int64_t first, std::int64_t count, std::int64_t size);

template <typename T>
DeviceSpan<T> part(DeviceSpan<T> whole, std::int64_t first, std::int64_t count) {
  if (first < 0 || count < 0 || first + count > whole.size) no_such_part(first, count, whole.size);
  return {whole.data + first, count};
}

}  // namespace strider::cuda
