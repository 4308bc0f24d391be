#pragma once
// Which machine a run is on, and why.
#include <optional>
#include <span>
#include <string>

#include "engine/device.h"
#include "engine/engine.h"

namespace strider {

struct DeviceChoice {
  Device device = Device::kCpu;  // kCpu or kCuda
  std::string why;               // a line for the user
};

/// Throws Error with the reason where the GPU is asked for, by the device or by a precision that only it has, and
/// cannot do the run.
DeviceChoice choose_device(Device asked, const LlamaConfig& config, const EngineSettings& settings);

struct HoldingChoice {
  bool holds = false;  // all settings.held_tokens
  std::string why;     // a line for the user
};

/// Whether an engine on the GPU with these settings is to hold all walks of the run (Engine::hold_walks), which takes
/// held_token_bytes() each: where they fit into cuda_bytes_for_walks().
HoldingChoice choose_holding(const LlamaConfig& config, const EngineSettings& settings);

/// make_engine() for one of kCpu and kCuda.
std::unique_ptr<Engine> make_engine_on(Device device, const LlamaConfig& config, const EngineSettings& settings);

/// Before a run on the GPU: takes a few walks through both machines with these parameters. Throws Error with the
/// figures unless loss and gradient norm agree to device_tolerance(). Of an engine without groups only the loss is
/// compared.
void check_device(const LlamaConfig& config, const EngineSettings& settings, std::span<const float> parameters);
/// Of either figure: what different orders of the same sums leave in float32, and rounded operands otherwise.
double device_tolerance(Precision precision);

// What the build has of CUDA: engine/no_cuda/ or engine/cuda/on_gpu/.

/// Why no GPU can do this run; none where one can.
std::optional<std::string> cuda_obstacle(const LlamaConfig& config, const EngineSettings& settings);
/// Bytes of its memory that walks may take: a quarter (kShareOfWalks) of what the rest of the engine leaves free, so
/// that several runs find room on one GPU.
std::uint64_t cuda_bytes_for_walks(const LlamaConfig& config, const EngineSettings& settings);
inline constexpr std::uint64_t kShareOfWalks = 4;
/// The GPU that would do it, as its driver names it.
std::string cuda_device_name();
/// Throws Error where it cannot.
std::unique_ptr<Engine> make_cuda_engine(const LlamaConfig& config, const EngineSettings& settings);

}  // namespace strider
