// What of the real CUDA engine can be tried on a machine without a GPU; only in a build with GPU=1.
#include <gtest/gtest.h>

#include "engine/choose_device.h"
#include "engine/cuda/on_gpu/cublaslt.h"

namespace strider {
namespace {

LlamaConfig small() {
  LlamaConfig config;
  config.vocab_size = 8;
  config.hidden_size = config.intermediate_size = 8;
  config.num_hidden_layers = config.num_attention_heads = config.num_key_value_heads = 1;
  config.head_dim = 8;
  return config;
}

TEST(GpuBuild, FindsEveryFunctionOfCublasLt) {
  EXPECT_EQ(cuda::cublaslt_obstacle(), "");
}

// With a GPU the run is on it; without one the reason is the driver's.
TEST(GpuBuild, SaysWhichMachineAndWhy) {
  const DeviceChoice choice = choose_device(Device::kAuto, small(), {});
  if (choice.device == Device::kCuda) GTEST_SKIP() << choice.why;
  EXPECT_EQ(choice.why.find("DEVICE=auto: the run is on the CPU, since "), 0U) << choice.why;
  EXPECT_EQ(choice.why.find("without GPU code"), std::string::npos) << choice.why;
  EXPECT_ANY_THROW(choose_device(Device::kCuda, small(), {}));
  EXPECT_ANY_THROW(make_engine_on(Device::kCuda, small(), {}));
}

}  // namespace
}  // namespace strider
