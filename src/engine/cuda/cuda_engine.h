#pragma once
// The engine on one GPU, as engine/choose_device.h makes it. docs/gpu.md explains it.
#include <memory>
#include <optional>
#include <string>

#include "engine/cuda/products.h"
#include "engine/engine.h"

namespace strider::cuda {

/// Rows of a batch at most, but for a walk that is longer: what keeps a GPU busy without taking all of its memory.
inline constexpr std::int64_t kBatchRows = 8192;

/// An engine for settings.precision; with kTf32 `products` are to multiply float32 operands so. Throws Error when the
/// device's memory is not enough, for what cuda_engine_obstacle() names, or when CUDA fails.
std::unique_ptr<Engine> make_engine_with(const LlamaConfig& config, const EngineSettings& settings,
                                         std::unique_ptr<MatrixProducts> products,
                                         std::int64_t batch_rows = kBatchRows);

/// What of a run such an engine cannot do; none where it can do all of it.
std::optional<std::string> cuda_engine_obstacle(const LlamaConfig& config, const EngineSettings& settings);

/// Bytes of the device's memory that such an engine takes.
std::uint64_t cuda_engine_memory_bytes(const LlamaConfig& config, const EngineSettings& settings,
                                       std::int64_t batch_rows = kBatchRows);

}  // namespace strider::cuda
