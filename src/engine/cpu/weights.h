#pragma once
// The weights of a Llama as arithmetic wants them: the flat parameters, and the packed copies of every matrix beside
// them.
#include <cstdint>
#include <span>
#include <vector>

#include "base/carver.h"
#include "engine/cpu/ops/attention.h"
#include "engine/cpu/ops/linear.h"
#include "engine/cpu/ops/rope.h"
#include "model/config.h"
#include "model/parameters.h"

namespace strider {

AttentionShape attention_shape(const LlamaConfig& config);

/// The memory of the weights of a model.
struct WeightsMemory {
  float* values = nullptr;   // the flat parameters
  float* rope = nullptr;     // the rotary table
  float* forward = nullptr;  // packed copies: these two in kFloat32,
  float* backward = nullptr;
  std::uint32_t* forward_pairs = nullptr;  // these two in kBfloat16; the backward ones for training only
  std::uint32_t* backward_pairs = nullptr;

  void lay_out(Carver& carver, const LlamaConfig& config, std::int64_t positions, bool for_training,
               Precision precision);
};

class Weights {
 public:
  /// Positions of the rotary table: at least as many as the longest walk has tokens. `for_training` also keeps the
  /// copies that the backward pass reads. The flat parameters are float32 in every precision. `memory` was laid out for
  /// the same model.
  Weights(const LlamaConfig& config, std::int64_t positions, bool for_training, Precision precision,
          const WeightsMemory& memory);

  const LlamaConfig& config() const { return config_; }
  Precision precision() const { return precision_; }
  const ParameterLayout& layout() const { return layout_; }
  const RopeTable& rope() const { return rope_; }
  const AttentionKernels& attention() const { return attention_; }
  std::span<float> values() { return {memory_.values, static_cast<std::size_t>(layout_.total())}; }
  std::span<const float> values() const { return {memory_.values, static_cast<std::size_t>(layout_.total())}; }

  /// A matrix of the flat parameters that has packed copies: q, k, v of a layer count as one, gate and up too.
  struct Matrix {
    std::int64_t offset = 0;
    LinearShape shape;
    std::int64_t forward_at = 0;
    std::int64_t backward_at = 0;
  };
  const std::vector<Matrix>& matrices() const { return matrices_; }
  /// Those of a model, without its weights.
  static std::vector<Matrix> list_matrices(const LlamaConfig& config, Precision precision);

  /// Packs rows [first_row, last_row) of a matrix again after its values changed; first_row is a multiple of kPanel.
  void pack(const Matrix& matrix, std::int64_t first_row, std::int64_t last_row);
  void pack_all();

  PackedLinear qkv(std::int64_t layer) const { return packed(4 * layer); }
  PackedLinear o(std::int64_t layer) const { return packed(4 * layer + 1); }
  PackedLinear gate_up(std::int64_t layer) const { return packed(4 * layer + 2); }
  PackedLinear down(std::int64_t layer) const { return packed(4 * layer + 3); }
  PackedLinear lm_head() const { return packed(4 * config_.num_hidden_layers); }
  const float* at(std::int64_t offset) const { return memory_.values + offset; }

 private:
  PackedLinear packed(std::int64_t index) const;

  LlamaConfig config_;
  Precision precision_;
  bool for_training_;
  ParameterLayout layout_;
  RopeTable rope_;
  AttentionKernels attention_;
  std::vector<Matrix> matrices_;
  WeightsMemory memory_;
};

}  // namespace strider
