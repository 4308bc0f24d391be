// The GPU of cuda_tests: what engine/cuda/on_gpu/ is to the program, here with the emulator, and what the tests ask it.
#include <utility>

#include "cuda_on_cpu/plain_products.h"
#include "engine/choose_device.h"
#include "engine/cuda/cuda_engine.h"
#include "engine/cuda/node_pairs.h"
#include "gpu_under_test.h"

namespace strider {
namespace {

bool g_products_are_wrong = false;
std::uint64_t g_bytes_for_walks = std::uint64_t{1} << 30;

// A library that is off by a part in a thousand.
class WrongProducts : public cuda::MatrixProducts {
  void enqueue(cudaStream_t stream, const cuda::MatrixProduct& product) override {
    right_.multiply(stream, product);
    cuda_on_cpu::enqueue(stream, [c = product.c] {
      if (c.type != cuda::ElementType::kFloat32) return;
      for (std::int64_t i = 0; i < c.size; ++i) static_cast<float*>(const_cast<void*>(c.values))[i] *= 1.001F;
    });
  }

  test::PlainProducts right_;
};

}  // namespace

std::optional<std::string> cuda_obstacle(const LlamaConfig& config, const EngineSettings& settings) {
  return cuda::cuda_engine_obstacle(config, settings);
}

std::uint64_t cuda_bytes_for_walks(const LlamaConfig& /*config*/, const EngineSettings& /*settings*/) {
  return g_bytes_for_walks;
}

std::string cuda_device_name() {
  return "an emulated GPU";
}

std::optional<std::string> cuda_node_pairs_obstacle(const NodePairsLimits& /*limits*/) {
  return std::nullopt;
}

std::unique_ptr<NodePairs> make_cuda_node_pairs(const PairedNodes& nodes, const NodePairsLimits& limits) {
  return cuda::make_node_pairs(nodes, limits);
}

std::unique_ptr<Engine> make_cuda_engine(const LlamaConfig& config, const EngineSettings& settings) {
  std::unique_ptr<cuda::MatrixProducts> products = test::make_products(settings.precision);
  if (g_products_are_wrong) products = std::make_unique<WrongProducts>();
  return cuda::make_engine_with(config, settings, std::move(products));
}

namespace test {

std::unique_ptr<cuda::MatrixProducts> make_products(Precision /*precision*/) {
  return std::make_unique<PlainProducts>();
}

bool set_products_wrong(bool wrong) {
  g_products_are_wrong = wrong;
  return true;
}

std::optional<std::uint64_t> set_bytes_for_walks(std::uint64_t bytes) {
  return std::exchange(g_bytes_for_walks, bytes);
}

void run_backwards(bool backwards) {
  cuda_on_cpu::run_backwards(backwards);
}

std::optional<std::int64_t> launches() {
  return cuda_on_cpu::launches();
}

std::optional<std::int64_t> copied_bytes() {
  return cuda_on_cpu::copied_bytes();
}

}  // namespace test
}  // namespace strider
