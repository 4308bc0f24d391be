#include "engine/cuda/rules/piece.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

// With g clipped:  m += (1 - beta1) (g - m),  v = beta2 v + (1 - beta2) g^2,
//   p = p (1 - lr wd) - lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
// A block for each piece.
__global__ void adamw_kernel(DeviceSpan<const std::int64_t> pieces, DeviceSpan<const float> factors,
                             DeviceSpan<const float> clip, DeviceSpan<const float> gradient,
                             DeviceSpan<float> parameters, DeviceSpan<Bfloat16> rounded, DeviceSpan<float> first,
                             DeviceSpan<float> second) {
  const float scale = clip[0];
  if (!is_update(scale)) return;
  const UpdatePiece piece = piece_of_block(pieces);
  const std::int64_t factor = piece.group * kUpdateFactors;
  for (int i = static_cast<int>(threadIdx.x); i < piece.count; i += kUpdateThreads) {
    const float g = gradient[piece.offset + i] * scale;
    const float old = first[piece.state + i];
    const float m = old + (g - old) * factors[factor + kOneMinusBeta1];
    const float v = second[piece.state + i] * factors[factor + kBeta2] + g * g * factors[factor + kOneMinusBeta2];
    const float root = sqrtf(v) * factors[factor + kInverseRoot] + factors[factor + kEps];
    const float p = parameters[piece.offset + i] * factors[factor + kDecay];
    first[piece.state + i] = m;
    second[piece.state + i] = v;
    const float updated = p - factors[factor + kStepSize] * (m / root);
    parameters[piece.offset + i] = updated;
    if (rounded.size > 0) store(rounded, piece.offset + i, updated);
  }
}

}  // namespace

void adamw_update(cudaStream_t stream, const UpdateBuffers& buffers, DeviceSpan<float> first,
                  DeviceSpan<float> second) {
  launch(stream, static_cast<unsigned>(buffers.piece_count), kUpdateThreads, adamw_kernel, buffers.pieces,
         buffers.factors, buffers.clip, buffers.gradient, buffers.parameters, buffers.rounded, first, second);
}

}  // namespace strider::cuda
