// What engine/cuda/on_gpu/ is to the program: makes the CUDA engine, here on the emulator.
#include "cuda_on_cpu/cuda_maker.h"

#include "cuda_on_cpu/plain_products.h"
#include "engine/choose_device.h"
#include "engine/cuda/cuda_engine.h"

namespace strider {

bool test::products_are_wrong = false;

namespace {

// A library that is off by a part in a thousand.
class WrongProducts : public cuda::MatrixProducts {
  void enqueue(cudaStream_t stream, const cuda::MatrixProduct& product) override {
    right_.multiply(stream, product);
    cuda_on_cpu::enqueue(stream, [c = product.c] {
      for (std::int64_t i = 0; i < c.size; ++i) c.data[i] *= 1.001F;
    });
  }

  test::PlainProducts right_;
};

}  // namespace

std::optional<std::string> cuda_obstacle(const LlamaConfig& config, const EngineSettings& settings) {
  return cuda::cuda_engine_obstacle(config, settings);
}

std::string cuda_device_name() {
  return "an emulated GPU";
}

std::unique_ptr<Engine> make_cuda_engine(const LlamaConfig& config, const EngineSettings& settings) {
  std::unique_ptr<cuda::MatrixProducts> products = std::make_unique<test::PlainProducts>();
  if (test::products_are_wrong) products = std::make_unique<WrongProducts>();
  return std::make_unique<cuda::CudaEngine>(config, settings, std::move(products));
}

}  // namespace strider
