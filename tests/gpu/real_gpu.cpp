// The GPU of gpu_tests: a real one, or none, and then every test is skipped. STRIDER_REQUIRE_GPU=1 makes that a
// failure, for scripts/gpu.sh, which must not take a driver that does not work for tests that passed.
#include <gtest/gtest.h>

#include <cstdlib>

#include "engine/choose_device.h"
#include "engine/cuda/on_gpu/cublaslt.h"
#include "gpu_under_test.h"

namespace strider::test {
namespace {

LlamaConfig small() {
  LlamaConfig config;
  config.vocab_size = config.hidden_size = config.intermediate_size = config.head_dim = 8;
  config.num_hidden_layers = config.num_attention_heads = config.num_key_value_heads = 1;
  return config;
}

// Before the first test: fixtures open a stream, which without a GPU is an error.
class NeedsGpu : public testing::Environment {
  void SetUp() override {
    const std::optional<std::string> obstacle = cuda_obstacle(small(), {});
    if (!obstacle) return;
    const char* const required = std::getenv("STRIDER_REQUIRE_GPU");
    if (required != nullptr && *required == '1') FAIL() << "STRIDER_REQUIRE_GPU=1 asks for a GPU: " << *obstacle;
    GTEST_SKIP() << "No GPU to test on: " << *obstacle;
  }
};

const testing::Environment* const g_needs_gpu = testing::AddGlobalTestEnvironment(new NeedsGpu);

}  // namespace

std::unique_ptr<cuda::MatrixProducts> make_products(Precision precision) {
  return cuda::open_cublaslt(precision);
}

bool set_products_wrong(bool wrong) {
  return !wrong;
}

std::optional<std::uint64_t> set_bytes_for_walks(std::uint64_t /*bytes*/) {
  return std::nullopt;
}

void run_backwards(bool /*backwards*/) {}

std::optional<std::int64_t> launches() {
  return std::nullopt;
}

std::optional<std::int64_t> copied_bytes() {
  return std::nullopt;
}

}  // namespace strider::test
