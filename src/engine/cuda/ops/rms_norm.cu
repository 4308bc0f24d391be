#include "engine/cuda/ops/rms_norm.h"
#include "engine/cuda/ops/warp.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

constexpr int kRowsAtOnce = 64;     // of one partial sum of dweight
constexpr int kColumnThreads = 64;  // columns of a block

// r = 1 / sqrt(mean_j x[j]^2 + eps),  y[j] = weight[j] (x[j] r), a warp for each row.
template <typename T>
__global__ void rms_norm_forward_kernel(int rows, int hidden, float eps, DeviceSpan<const float> x,
                                        DeviceSpan<const float> weight, DeviceSpan<T> y,
                                        DeviceSpan<float> inverse_rms) {
  const int row = row_of_warp();
  if (row >= rows) return;
  const int lane = lane_of_thread();
  const std::int64_t at = std::int64_t{row} * hidden;
  float squares = 0.0F;
  for (int j = lane; j < hidden; j += kWarpSize) squares += x[at + j] * x[at + j];
  const float r = 1.0F / sqrtf(warp_sum(squares) / static_cast<float>(hidden) + eps);
  for (int j = lane; j < hidden; j += kWarpSize) store(y, at + j, weight[j] * (x[at + j] * r));
  if (lane == 0) inverse_rms[row] = r;
}

// dx[j] (+)= r g[j] - x[j] r^3 mean_k(g[k] x[k]) with g[j] = weight[j] dy[j], a warp for each row.
template <typename T>
__global__ void rms_norm_backward_input_kernel(int rows, int hidden, bool adds, DeviceSpan<const float> x,
                                               DeviceSpan<const float> weight, DeviceSpan<const float> inverse_rms,
                                               DeviceSpan<const T> dy, DeviceSpan<float> dx,
                                               DeviceSpan<Bfloat16> rounded) {
  const int row = row_of_warp();
  if (row >= rows) return;
  const int lane = lane_of_thread();
  const std::int64_t at = std::int64_t{row} * hidden;
  float product = 0.0F;
  for (int j = lane; j < hidden; j += kWarpSize) product += weight[j] * load(dy, at + j) * x[at + j];
  const float r = inverse_rms[row];
  const float along = r * r * r * warp_sum(product) / static_cast<float>(hidden);
  for (int j = lane; j < hidden; j += kWarpSize) {
    const float gradient = r * (weight[j] * load(dy, at + j)) - x[at + j] * along;
    const float sum = adds ? dx[at + j] + gradient : gradient;
    dx[at + j] = sum;
    if (rounded.size > 0) store(rounded, at + j, sum);
  }
}

// partial[c, j] = sum over the rows r of part c of dy[r, j] x[r, j] inverse_rms[r], a thread for each c and j.
template <typename T>
__global__ void rms_norm_backward_weight_kernel(int rows, int hidden, DeviceSpan<const float> x,
                                                DeviceSpan<const float> inverse_rms, DeviceSpan<const T> dy,
                                                DeviceSpan<float> partial) {
  const int j = static_cast<int>(blockIdx.x) * kColumnThreads + static_cast<int>(threadIdx.x);
  if (j >= hidden) return;
  const int first = static_cast<int>(blockIdx.y) * kRowsAtOnce;
  const int last = first + kRowsAtOnce < rows ? first + kRowsAtOnce : rows;
  float sum = 0.0F;
  for (int row = first; row < last; ++row) {
    const std::int64_t at = std::int64_t{row} * hidden + j;
    sum += load(dy, at) * (x[at] * inverse_rms[row]);
  }
  partial[std::int64_t{blockIdx.y} * hidden + j] = sum;
}

// dweight[j] += sum over c of partial[c, j], in the order of c, a thread for each j.
__global__ void add_partials_kernel(int parts, int hidden, DeviceSpan<const float> partial, DeviceSpan<float> dweight) {
  const int j = static_cast<int>(blockIdx.x) * kColumnThreads + static_cast<int>(threadIdx.x);
  if (j >= hidden) return;
  float sum = 0.0F;
  for (int part = 0; part < parts; ++part) sum += partial[std::int64_t{part} * hidden + j];
  dweight[j] += sum;
}

}  // namespace

std::int64_t rms_norm_scratch_floats(std::int64_t rows, std::int64_t hidden) {
  return blocks_for(rows, kRowsAtOnce) * hidden;
}

template <typename T>
void rms_norm_forward(cudaStream_t stream, std::int64_t rows, std::int64_t hidden, float eps, DeviceSpan<const float> x,
                      DeviceSpan<const float> weight, DeviceSpan<T> y, DeviceSpan<float> inverse_rms) {
  launch(stream, blocks_for(rows, kRowWarps), kRowThreads, rms_norm_forward_kernel<T>, rows, hidden, eps, x, weight, y,
         inverse_rms);
}

template <typename T>
void rms_norm_backward(cudaStream_t stream, std::int64_t rows, std::int64_t hidden, DeviceSpan<const float> x,
                       DeviceSpan<const float> weight, DeviceSpan<const float> inverse_rms, DeviceSpan<const T> dy,
                       DeviceSpan<float> dx, Write write, DeviceSpan<Bfloat16> rounded, DeviceSpan<float> dweight,
                       DeviceSpan<float> scratch) {
  const unsigned parts = blocks_for(rows, kRowsAtOnce);
  const unsigned columns = blocks_for(hidden, kColumnThreads);
  launch(stream, dim3(columns, parts), kColumnThreads, rms_norm_backward_weight_kernel<T>, rows, hidden, x, inverse_rms,
         dy, scratch);
  launch(stream, columns, kColumnThreads, add_partials_kernel, parts, hidden, scratch, dweight);
  launch(stream, blocks_for(rows, kRowWarps), kRowThreads, rms_norm_backward_input_kernel<T>, rows, hidden,
         write == Write::kAdd, x, weight, inverse_rms, dy, dx, rounded);
}

template void rms_norm_forward<float>(cudaStream_t, std::int64_t, std::int64_t, float, DeviceSpan<const float>,
                                      DeviceSpan<const float>, DeviceSpan<float>, DeviceSpan<float>);
template void rms_norm_forward<Bfloat16>(cudaStream_t, std::int64_t, std::int64_t, float, DeviceSpan<const float>,
                                         DeviceSpan<const float>, DeviceSpan<Bfloat16>, DeviceSpan<float>);
template void rms_norm_backward<float>(cudaStream_t, std::int64_t, std::int64_t, DeviceSpan<const float>,
                                       DeviceSpan<const float>, DeviceSpan<const float>, DeviceSpan<const float>,
                                       DeviceSpan<float>, Write, DeviceSpan<Bfloat16>, DeviceSpan<float>,
                                       DeviceSpan<float>);
template void rms_norm_backward<Bfloat16>(cudaStream_t, std::int64_t, std::int64_t, DeviceSpan<const float>,
                                          DeviceSpan<const float>, DeviceSpan<const float>, DeviceSpan<const Bfloat16>,
                                          DeviceSpan<float>, Write, DeviceSpan<Bfloat16>, DeviceSpan<float>,
                                          DeviceSpan<float>);

}  // namespace strider::cuda
