#pragma once
// torch's CPU generator and what torch draws from it, number for number.
// Sources: PyTorch, ATen/core/MT19937RNGEngine.h, CPUGeneratorImpl.cpp, native/cpu/DistributionTemplates.h
// (normal_fill) and native/TensorFactories.cpp (randperm_cpu).
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/random/mersenne_twister.h"

namespace strider {

class TorchGenerator {
 public:
  /// torch.manual_seed(seed): only the low 32 bits reach the engine.
  explicit TorchGenerator(std::uint64_t seed) : twister_(static_cast<std::uint32_t>(seed)) {}

  std::uint32_t random() { return twister_.next(); }  // 32 bits
  std::uint64_t random64();                           // two draws, the first one high
  void skip(std::uint64_t draws) { twister_.skip(draws); }

  /// Tensor.uniform_(0, 1) of one float32: 24 bits of one draw.
  float uniform();

  /// Tensor.normal_(mean, std) of a contiguous float32 tensor.
  void normal(std::span<float> values, double mean, double std);

  /// What Tensor.normal_ and Tensor.uniform_ of so many float32 elements consume, without their values.
  void skip_normal(std::uint64_t elements);
  void skip_uniform(std::uint64_t elements);

  /// torch.randperm(n, generator=self), for n below 2^32 / 20.
  std::vector<std::int64_t> permutation(std::int64_t n);

 private:
  void fill_uniform(std::span<float> values);
  double normal_double();

  MersenneTwister twister_;
  std::optional<double> spare_normal_;  // Box-Muller gives two at once
};

}  // namespace strider
