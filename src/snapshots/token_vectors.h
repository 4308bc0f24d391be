#pragma once
// The states of tokens, each alone at position 0, of weights that change: of a model while it trains, or of one
// checkpoint after the other. The same numbers as strider extract's, in float32.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "engine/engine.h"
#include "model/config.h"
#include "model/representation.h"

namespace strider {

class TokenVectors {
 public:
  /// Takes the memory of an engine that cannot train.
  TokenVectors(const LlamaConfig& config, int threads);

  const ParameterLayout& layout() const { return engine_->layout(); }
  /// Of all calls below: [layout().total()].
  void set_parameters(std::span<const float> values) { engine_->set_parameters(values); }

  /// An .npz of float32 arrays [ids, width], which appears whole or not at all. Throws Error as write_npz.
  void write(const std::filesystem::path& file, std::span<const std::int32_t> ids, std::span<const TokenArray> arrays);
  /// All arrays, each [ids, width].
  std::vector<std::vector<float>> compute(std::span<const std::int32_t> ids, std::span<const TokenArray> arrays);

 private:
  std::unique_ptr<Engine> engine_;
};

}  // namespace strider
