#pragma once
// The gradient's L2 norm and the factor by which it is clipped, both left on the device. Sums have one order.
#include "engine/cuda/bfloat16.h"

namespace strider::cuda {

/// Doubles of scratch for the norm of so many floats.
std::int64_t norm_scratch_doubles(std::int64_t count);

/// norm[0] = sqrt(sum_i gradient[i]^2), summed in float64.
void gradient_norm(cudaStream_t stream, DeviceSpan<const float> gradient, DeviceSpan<double> scratch,
                   DeviceSpan<double> norm);

/// factor[0] = min(1, most[0] / (norm[0] + 1e-6)), as torch's clip_grad_norm_ has it, or 1 where most[0] is 0. Not a
/// number where the norm is not finite: the rules then change nothing.
void clip_factor(cudaStream_t stream, DeviceSpan<const double> norm, DeviceSpan<const float> most,
                 DeviceSpan<float> factor);

/// to[i] = from[i], rounded.
void round_to_operands(cudaStream_t stream, DeviceSpan<const float> from, DeviceSpan<Bfloat16> to);

}  // namespace strider::cuda
