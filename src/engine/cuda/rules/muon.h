#pragma once
// Muon over the matrices of a model (engine/cpu/rules/muon.cpp has the formula): those of one group and one shape go
// together, so that each of its products is one launch for all of them.
#include <vector>

#include "engine/cpu/optimizer_state.h"
#include "engine/cuda/learning_runs.h"
#include "engine/cuda/ops/orthogonalize.h"
#include "engine/cuda/rules/update_rule.h"

namespace strider::cuda {

/// Of a matrix: its place in the flat parameters and that of its momentum in the rule's buffer.
inline constexpr int kMuonNumbers = 2;

/// Matrices of one shape in one group, in the order of the parameters.
struct MuonBatch {
  std::int64_t group = 0;
  MatrixBatch shape;
  float momentum = 0.0F;
  std::vector<Quintic> steps;
  double norm_factor = 1.0;
  std::vector<std::int64_t> numbers;  // [matrices, kMuonNumbers]
  DeviceSpan<std::int64_t> places;    // the same on the device
};

template <typename T>
struct MuonMemory {
  std::vector<MuonBatch> batches;
  DeviceSpan<float> momentum;  // the state momentum_buffer
  OrthogonalizeMemory<T> orthogonalization;

  /// Throws Error for a tensor of a muon group that is no matrix.
  void lay_out(Carver& carver, const ParameterLayout& layout, std::span<const ParameterGroup> groups,
               std::span<const OptimizerBuffer> buffers);
};

/// Of the batch's matrices those of `run`. UpdateBuffers::pieces are not read. memory.orthogonalization is scratch.
template <typename T>
void muon_update(MatrixProducts& products, cudaStream_t stream, const MuonBatch& batch, RowRun run,
                 const UpdateBuffers& buffers, const MuonMemory<T>& memory);

}  // namespace strider::cuda
