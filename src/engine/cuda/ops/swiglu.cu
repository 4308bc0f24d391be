#include "engine/cuda/ops/swiglu.h"
#include "engine/cuda/ops/warp.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

// act = gate s up with s = 1 / (1 + exp(-gate)), a thread for each element of act.
template <typename T>
__global__ void swiglu_forward_kernel(int rows, int ffn, DeviceSpan<const T> gate_up, DeviceSpan<T> act) {
  const std::int64_t element = element_of_thread();
  if (element >= std::int64_t{rows} * ffn) return;
  const std::int64_t at = element / ffn * 2 * ffn + element % ffn;
  const float gate = load(gate_up, at);
  const float s = 1.0F / (1.0F + expf(-gate));
  store(act, element, gate * s * load(gate_up, at + ffn));
}

// dgate = da up s (1 + gate (1 - s)),  dup = da gate s, in the places of gate and up; act in that of da.
template <typename T>
__global__ void swiglu_backward_kernel(int rows, int ffn, DeviceSpan<T> gate_up, DeviceSpan<T> dact) {
  const std::int64_t element = element_of_thread();
  if (element >= std::int64_t{rows} * ffn) return;
  const std::int64_t at = element / ffn * 2 * ffn + element % ffn;
  const float gate = load(gate_up, at);
  const float up = load(gate_up, at + ffn);
  const float da = load(dact, element);
  const float s = 1.0F / (1.0F + expf(-gate));
  store(dact, element, gate * s * up);
  store(gate_up, at, da * up * s * (1.0F + gate * (1.0F - s)));
  store(gate_up, at + ffn, da * gate * s);
}

}  // namespace

template <typename T>
void swiglu_forward(cudaStream_t stream, std::int64_t rows, std::int64_t ffn, DeviceSpan<const T> gate_up,
                    DeviceSpan<T> act) {
  launch(stream, blocks_for(rows * ffn, kElementThreads), kElementThreads, swiglu_forward_kernel<T>, rows, ffn, gate_up,
         act);
}

template <typename T>
void swiglu_backward(cudaStream_t stream, std::int64_t rows, std::int64_t ffn, DeviceSpan<T> gate_up,
                     DeviceSpan<T> dact) {
  launch(stream, blocks_for(rows * ffn, kElementThreads), kElementThreads, swiglu_backward_kernel<T>, rows, ffn,
         gate_up, dact);
}

template void swiglu_forward<float>(cudaStream_t, std::int64_t, std::int64_t, DeviceSpan<const float>,
                                    DeviceSpan<float>);
template void swiglu_forward<Bfloat16>(cudaStream_t, std::int64_t, std::int64_t, DeviceSpan<const Bfloat16>,
                                       DeviceSpan<Bfloat16>);
template void swiglu_backward<float>(cudaStream_t, std::int64_t, std::int64_t, DeviceSpan<float>, DeviceSpan<float>);
template void swiglu_backward<Bfloat16>(cudaStream_t, std::int64_t, std::int64_t, DeviceSpan<Bfloat16>,
                                        DeviceSpan<Bfloat16>);

}  // namespace strider::cuda
