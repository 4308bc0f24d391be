#include "engine/cuda/ops/swiglu.h"
#include "engine/cuda/ops/warp.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

// act = gate s up with s = 1 / (1 + exp(-gate)), a thread for each element of act.
__global__ void swiglu_forward_kernel(int rows, int ffn, DeviceSpan<const float> gate_up, DeviceSpan<float> act) {
  const std::int64_t element = element_of_thread();
  if (element >= std::int64_t{rows} * ffn) return;
  const std::int64_t at = element / ffn * 2 * ffn + element % ffn;
  const float gate = gate_up[at];
  const float s = 1.0F / (1.0F + expf(-gate));
  act[element] = gate * s * gate_up[at + ffn];
}

// dgate = da up s (1 + gate (1 - s)),  dup = da gate s, in the places of gate and up; act in that of da.
__global__ void swiglu_backward_kernel(int rows, int ffn, DeviceSpan<float> gate_up, DeviceSpan<float> dact) {
  const std::int64_t element = element_of_thread();
  if (element >= std::int64_t{rows} * ffn) return;
  const std::int64_t at = element / ffn * 2 * ffn + element % ffn;
  const float gate = gate_up[at];
  const float up = gate_up[at + ffn];
  const float da = dact[element];
  const float s = 1.0F / (1.0F + expf(-gate));
  dact[element] = gate * s * up;
  gate_up[at] = da * up * s * (1.0F + gate * (1.0F - s));
  gate_up[at + ffn] = da * gate * s;
}

}  // namespace

void swiglu_forward(cudaStream_t stream, std::int64_t rows, std::int64_t ffn, DeviceSpan<const float> gate_up,
                    DeviceSpan<float> act) {
  launch(stream, blocks_for(rows * ffn, kElementThreads), kElementThreads, swiglu_forward_kernel, rows, ffn, gate_up,
         act);
}

void swiglu_backward(cudaStream_t stream, std::int64_t rows, std::int64_t ffn, DeviceSpan<float> gate_up,
                     DeviceSpan<float> dact) {
  launch(stream, blocks_for(rows * ffn, kElementThreads), kElementThreads, swiglu_backward_kernel, rows, ffn, gate_up,
         dact);
}

}  // namespace strider::cuda
