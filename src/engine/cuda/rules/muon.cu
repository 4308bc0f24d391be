#include <cmath>

#include "engine/cuda/ops/warp.h"
#include "engine/cuda/rules/muon.h"
#include "engine/cuda/rules/piece.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

// With g clipped:  b += (1 - mu) (g - b),  u = g + mu (b - g). A thread for each element, blockIdx.y is the matrix.
template <typename T>
__global__ void muon_direction_kernel(std::int64_t elements, float momentum, DeviceSpan<const std::int64_t> places,
                                      DeviceSpan<const float> clip, DeviceSpan<const float> gradient,
                                      DeviceSpan<float> buffer, DeviceSpan<T> direction) {
  const std::int64_t i = element_of_thread();
  const float scale = clip[0];
  if (i >= elements || !is_update(scale)) return;
  const std::int64_t matrix = blockIdx.y;
  const std::int64_t state = places[matrix * kMuonNumbers + 1] + i;
  const float g = gradient[places[matrix * kMuonNumbers] + i] * scale;
  const float old = buffer[state];
  const float b = old + (g - old) * (1.0F - momentum);
  buffer[state] = b;
  store(direction, matrix * elements + i, g + momentum * (b - g));
}

// p = p (1 - lr wd) - lr shape_factor u. Threads as above.
template <typename T>
__global__ void muon_step_kernel(std::int64_t elements, std::int64_t group, float shape_factor,
                                 DeviceSpan<const std::int64_t> places, DeviceSpan<const float> factors,
                                 DeviceSpan<const float> clip, DeviceSpan<const T> direction,
                                 DeviceSpan<float> parameters, DeviceSpan<Bfloat16> rounded) {
  const std::int64_t i = element_of_thread();
  if (i >= elements || !is_update(clip[0])) return;
  const std::int64_t matrix = blockIdx.y;
  const std::int64_t at = places[matrix * kMuonNumbers] + i;
  const float step = factors[group * kUpdateFactors + kMuonLearningRate] * shape_factor;
  const float updated =
      parameters[at] * factors[group * kUpdateFactors + kMuonDecay] - step * load(direction, matrix * elements + i);
  parameters[at] = updated;
  if (rounded.size > 0) store(rounded, at, updated);
}

}  // namespace

template <typename T>
void muon_update(MatrixProducts& products, cudaStream_t stream, const MuonBatch& batch, RowRun run,
                 const UpdateBuffers& buffers, const MuonMemory<T>& memory) {
  const MatrixBatch shape{.count = run.count, .rows = batch.shape.rows, .columns = batch.shape.columns};
  const DeviceSpan<const std::int64_t> places =
      part<const std::int64_t>(batch.places, run.first * kMuonNumbers, run.count * kMuonNumbers);
  const std::int64_t elements = shape.rows * shape.columns;
  const dim3 blocks(blocks_for(elements, kElementThreads), static_cast<unsigned>(shape.count));
  const double ratio = static_cast<double>(shape.rows) / static_cast<double>(shape.columns);
  const auto shape_factor = static_cast<float>(std::sqrt(ratio > 1.0 ? ratio : 1.0));
  launch(stream, blocks, kElementThreads, muon_direction_kernel<T>, elements, batch.momentum, places, buffers.clip,
         buffers.gradient, memory.momentum, memory.orthogonalization.matrices);
  const DeviceSpan<const T> direction =
      orthogonalize(products, stream, batch.steps, batch.norm_factor, shape, memory.orthogonalization);
  launch(stream, blocks, kElementThreads, muon_step_kernel<T>, elements, batch.group, shape_factor, places,
         buffers.factors, buffers.clip, direction, buffers.parameters, buffers.rounded);
}

template void muon_update<float>(MatrixProducts&, cudaStream_t, const MuonBatch&, RowRun, const UpdateBuffers&,
                                 const MuonMemory<float>&);
template void muon_update<Bfloat16>(MatrixProducts&, cudaStream_t, const MuonBatch&, RowRun, const UpdateBuffers&,
                                    const MuonMemory<Bfloat16>&);

}  // namespace strider::cuda
