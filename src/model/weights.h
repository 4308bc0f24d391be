#pragma once
// The weights of a Llama as arithmetic wants them: the flat parameters, and the packed copies of every matrix beside
// them.
#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "model/config.h"
#include "model/parameters.h"
#include "ops/attention.h"
#include "ops/linear.h"
#include "ops/rope.h"

namespace strider {

AttentionShape attention_shape(const LlamaConfig& config);

class Weights {
 public:
  /// Positions of the rotary table: at least as many as the longest walk has tokens. `for_training` also keeps the
  /// copies that the backward pass reads. The flat parameters are float32 in every precision.
  Weights(const LlamaConfig& config, std::int64_t positions, bool for_training,
          Precision precision = Precision::kFloat32);

  static std::uint64_t memory_bytes(const LlamaConfig& config, std::int64_t positions, bool for_training,
                                    Precision precision = Precision::kFloat32);

  const LlamaConfig& config() const { return config_; }
  Precision precision() const { return precision_; }
  const ParameterLayout& layout() const { return layout_; }
  const RopeTable& rope() const { return rope_; }
  const AttentionKernels& attention() const { return attention_; }
  std::span<float> values() { return values_.span(); }
  std::span<const float> values() const { return values_.span(); }

  /// A matrix of the flat parameters that has packed copies: q, k, v of a layer count as one, gate and up too.
  struct Matrix {
    std::int64_t offset = 0;
    LinearShape shape;
    std::int64_t forward_at = 0;
    std::int64_t backward_at = 0;
  };
  const std::vector<Matrix>& matrices() const { return matrices_; }

  /// Packs rows [first_row, last_row) of a matrix again after its values changed; first_row is a multiple of kPanel.
  void pack(const Matrix& matrix, std::int64_t first_row, std::int64_t last_row);
  void pack_all();

  PackedLinear qkv(std::int64_t layer) const { return packed(4 * layer); }
  PackedLinear o(std::int64_t layer) const { return packed(4 * layer + 1); }
  PackedLinear gate_up(std::int64_t layer) const { return packed(4 * layer + 2); }
  PackedLinear down(std::int64_t layer) const { return packed(4 * layer + 3); }
  PackedLinear lm_head() const { return packed(4 * config_.num_hidden_layers); }
  const float* at(std::int64_t offset) const { return values_.data() + offset; }

 private:
  PackedLinear packed(std::int64_t index) const;

  LlamaConfig config_;
  Precision precision_;
  bool for_training_;
  ParameterLayout layout_;
  RopeTable rope_;
  AttentionKernels attention_;
  std::vector<Matrix> matrices_;
  AlignedBuffer<float> values_;
  AlignedBuffer<float> forward_, backward_;                      // kFloat32
  AlignedBuffer<std::uint32_t> forward_pairs_, backward_pairs_;  // kBfloat16
};

}  // namespace strider
