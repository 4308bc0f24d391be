#include "engine/cuda/rules/piece.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

// With g clipped:  g += wd p,  b = mu b + g,  p -= lr b. A block for each piece.
__global__ void sgd_kernel(DeviceSpan<const std::int64_t> pieces, DeviceSpan<const float> factors,
                           DeviceSpan<const float> clip, DeviceSpan<const float> gradient, DeviceSpan<float> parameters,
                           DeviceSpan<Bfloat16> rounded, DeviceSpan<float> momentum) {
  const float scale = clip[0];
  if (!is_update(scale)) return;
  const UpdatePiece piece = piece_of_block(pieces);
  const std::int64_t factor = piece.group * kUpdateFactors;
  for (int i = static_cast<int>(threadIdx.x); i < piece.count; i += kUpdateThreads) {
    const float p = parameters[piece.offset + i];
    const float g = gradient[piece.offset + i] * scale + factors[factor + kWeightDecay] * p;
    const float b = factors[factor + kMomentum] * momentum[piece.state + i] + g;
    momentum[piece.state + i] = b;
    const float updated = p - factors[factor + kLearningRate] * b;
    parameters[piece.offset + i] = updated;
    if (rounded.size > 0) store(rounded, piece.offset + i, updated);
  }
}

}  // namespace

void sgd_update(cudaStream_t stream, const UpdateBuffers& buffers, DeviceSpan<float> momentum) {
  launch(stream, static_cast<unsigned>(buffers.piece_count), kUpdateThreads, sgd_kernel, buffers.pieces,
         buffers.factors, buffers.clip, buffers.gradient, buffers.parameters, buffers.rounded, momentum);
}

}  // namespace strider::cuda
