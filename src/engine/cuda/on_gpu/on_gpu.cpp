// A build with GPU code, on a machine that may or may not have a GPU.
#include <cuda_runtime.h>
#include <fmt/format.h>

#include <cstdlib>

#include "base/error.h"
#include "engine/choose_device.h"
#include "engine/cuda/cuda_engine.h"
#include "engine/cuda/node_pairs.h"
#include "engine/cuda/on_gpu/cublaslt.h"
#include "engine/cuda/runtime.h"

namespace strider {
namespace {

// The first of those that CUDA_VISIBLE_DEVICES leaves.
constexpr int kDevice = 0;
constexpr int kOldestCapability = 8;

std::string version_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

// Why CUDA finds no GPU at all.
std::optional<std::string> driver_obstacle() {
  int devices = 0;
  const cudaError_t code = cudaGetDeviceCount(&devices);
  if (code == cudaSuccess && devices > 0) return std::nullopt;
  cudaGetLastError();
  int driver = 0;
  int runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (driver == 0) return "this machine has no NVIDIA driver";
  if (code == cudaErrorInsufficientDriver || driver / 1000 < runtime / 1000) {
    return fmt::format("its driver is for CUDA {}, and this program needs one for CUDA {}", version_text(driver),
                       version_text(runtime));
  }
  if (const char* const visible = std::getenv("CUDA_VISIBLE_DEVICES")) {
    return fmt::format("CUDA_VISIBLE_DEVICES=\"{}\" leaves no GPU", visible);
  }
  return fmt::format("CUDA finds no GPU: {}", cudaGetErrorString(code));
}

// Left free beside the engine, for the driver and cuBLASLt.
constexpr std::uint64_t kDriverBytes = std::uint64_t{256} << 20U;

std::optional<std::string> memory_obstacle(std::uint64_t needed) {
  std::size_t free = 0;
  std::size_t total = 0;
  const cudaError_t code = cudaMemGetInfo(&free, &total);
  if (code != cudaSuccess) {
    cudaGetLastError();
    return fmt::format("the GPU cannot be used: {}", cudaGetErrorString(code));
  }
  needed += kDriverBytes;
  if (needed <= free) return std::nullopt;
  return fmt::format("{} MB of the GPU's memory are needed, and {} MB are free", needed >> 20U, free >> 20U);
}

std::optional<std::string> capability_obstacle() {
  int major = 0;
  int minor = 0;
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, kDevice);
  cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, kDevice);
  if (major >= kOldestCapability) return std::nullopt;
  return fmt::format("{} has compute capability {}.{}, and at least {}.0 is needed", cuda_device_name(), major, minor,
                     kOldestCapability);
}

}  // namespace

std::optional<std::string> cuda_obstacle(const LlamaConfig& config, const EngineSettings& settings) {
  if (const auto obstacle = driver_obstacle()) return obstacle;
  if (const auto obstacle = cuda::cuda_engine_obstacle(config, settings)) return obstacle;
  if (const auto obstacle = capability_obstacle()) return obstacle;
  const std::string library = cuda::cublaslt_obstacle();
  if (!library.empty()) return library;
  return memory_obstacle(cuda::cuda_engine_memory_bytes(config, settings));
}

std::optional<std::string> cuda_node_pairs_obstacle(const NodePairsLimits& limits) {
  if (const auto obstacle = driver_obstacle()) return obstacle;
  if (const auto obstacle = capability_obstacle()) return obstacle;
  return memory_obstacle(cuda::node_pairs_memory_bytes(limits));
}

std::unique_ptr<NodePairs> make_cuda_node_pairs(const PairedNodes& nodes, const NodePairsLimits& limits) {
  if (const auto obstacle = cuda_node_pairs_obstacle(limits)) throw Error(*obstacle);
  cuda::check(cudaSetDevice(kDevice), "use the GPU");
  return cuda::make_node_pairs(nodes, limits);
}

std::uint64_t cuda_bytes_for_walks(const LlamaConfig& config, const EngineSettings& settings) {
  std::size_t free = 0;
  std::size_t total = 0;
  cuda::check(cudaMemGetInfo(&free, &total), "ask for the GPU's memory");
  EngineSettings others = settings;
  others.held_tokens = 0;
  const std::uint64_t needed = cuda::cuda_engine_memory_bytes(config, others) + kDriverBytes;
  return needed < free ? (free - needed) / kShareOfWalks : 0;
}

std::string cuda_device_name() {
  cudaDeviceProp properties = {};
  cuda::check(cudaGetDeviceProperties(&properties, kDevice), "ask for the GPU's name");
  return static_cast<const char*>(properties.name);
}

std::unique_ptr<Engine> make_cuda_engine(const LlamaConfig& config, const EngineSettings& settings) {
  if (const auto obstacle = cuda_obstacle(config, settings)) throw Error(*obstacle);
  cuda::check(cudaSetDevice(kDevice), "use the GPU");
  return cuda::make_engine_with(config, settings, cuda::open_cublaslt(settings.precision));
}

}  // namespace strider
