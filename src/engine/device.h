#pragma once
// The machines that a run can be on.

namespace strider {

enum class Device {
  kAuto,  // the GPU where there is one that can do the run, else the CPU
  kCpu,
  kCuda,  // one NVIDIA GPU, or an error
};

/// As users write it.
inline const char* name_of(Device device) {
  switch (device) {
    case Device::kAuto:
      return "auto";
    case Device::kCpu:
      return "cpu";
    case Device::kCuda:
      return "cuda";
  }
  return "";
}

}  // namespace strider
