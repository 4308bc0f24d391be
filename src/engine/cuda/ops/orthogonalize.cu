#include <utility>

#include "engine/cuda/ops/block_sum.h"
#include "engine/cuda/ops/orthogonalize.h"
#include "engine/cuda/ops/warp.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

// inverse[m] = 1 / max(factor |X_m|, smallest) with the Frobenius norm, a block for each matrix.
template <typename T>
__global__ void inverse_norm_kernel(std::int64_t elements, double factor, DeviceSpan<const T> x,
                                    DeviceSpan<float> inverse) {
  const std::int64_t first = std::int64_t{blockIdx.x} * elements;
  double squares = 0.0;
  for (std::int64_t i = static_cast<int>(threadIdx.x); i < elements; i += kSumThreads) {
    const double value = load(x, first + i);
    squares += value * value;
  }
  constexpr double kSmallest = 1e-7;  // as in torch.optim.Muon
  const double total = block_sum(squares);
  if (threadIdx.x != 0) return;
  const double norm = factor * sqrt(total);
  inverse[blockIdx.x] = static_cast<float>(1.0 / (norm > kSmallest ? norm : kSmallest));
}

// X_m <- inverse[m] X_m, a thread for each element.
template <typename T>
__global__ void scale_kernel(std::int64_t elements, DeviceSpan<const float> inverse, DeviceSpan<T> x) {
  const std::int64_t i = element_of_thread();
  if (i < x.size) store(x, i, load(x, i) * inverse[i / elements]);
}

// quintic = a I + b gram + c quintic; quintic comes with gram^2. A thread for each element of all matrices.
template <typename T>
__global__ void combine_kernel(int size, Quintic step, DeviceSpan<const T> gram, DeviceSpan<T> quintic) {
  const std::int64_t i = element_of_thread();
  if (i >= quintic.size) return;
  const std::int64_t in_matrix = i % (std::int64_t{size} * size);
  const float identity = in_matrix / size == in_matrix % size ? static_cast<float>(step.a) : 0.0F;
  store(quintic, i,
        identity + static_cast<float>(step.b) * load(gram, i) + static_cast<float>(step.c) * load(quintic, i));
}

}  // namespace

template <typename T>
DeviceSpan<const T> orthogonalize(MatrixProducts& products, cudaStream_t stream, std::span<const Quintic> steps,
                                  double norm_factor, const MatrixBatch& batch, const OrthogonalizeMemory<T>& memory) {
  const std::int64_t elements = batch.rows * batch.columns;
  const std::int64_t size = batch.shorter();
  const std::int64_t square = size * size;
  const bool is_wide = batch.columns > batch.rows;
  DeviceSpan<T> x = part(memory.matrices, 0, batch.elements());
  DeviceSpan<T> next = part(memory.next, 0, batch.elements());
  const DeviceSpan<T> gram = part(memory.gram, 0, batch.count * square);
  const DeviceSpan<T> quintic = part(memory.quintic, 0, batch.count * square);

  launch(stream, static_cast<unsigned>(batch.count), kSumThreads, inverse_norm_kernel<T>, elements, norm_factor, x,
         memory.inverse);
  launch(stream, blocks_for(x.size, kElementThreads), kElementThreads, scale_kernel<T>, elements, memory.inverse, x);
  for (const Quintic& step : steps) {
    // The smaller of X^T X and X X^T.
    const DeviceMatrix rows{x, batch.columns, false, elements};
    const DeviceMatrix columns{x, batch.columns, true, elements};
    const DeviceMatrix grams{gram, size, false, square};
    const DeviceMatrix quintics{quintic, size, false, square};
    const std::int64_t longer = elements / size;
    products.multiply(stream, {.m = size,
                               .n = size,
                               .k = longer,
                               .batch = batch.count,
                               .a = is_wide ? rows : columns,
                               .b = is_wide ? columns : rows,
                               .c = grams});
    products.multiply(stream,
                      {.m = size, .n = size, .k = size, .batch = batch.count, .a = grams, .b = grams, .c = quintics});
    launch(stream, blocks_for(quintic.size, kElementThreads), kElementThreads, combine_kernel<T>, size, step, gram,
           quintic);
    products.multiply(stream, {.m = batch.rows,
                               .n = batch.columns,
                               .k = size,
                               .batch = batch.count,
                               .a = is_wide ? quintics : rows,
                               .b = is_wide ? rows : quintics,
                               .c = {next, batch.columns, false, elements}});
    std::swap(x, next);
  }
  return x;
}

template <typename T>
void OrthogonalizeMemory<T>::lay_out(Carver& carver, std::span<const MatrixBatch> batches) {
  std::int64_t most = 0;
  std::int64_t most_square = 0;
  std::int64_t most_matrices = 0;
  for (const MatrixBatch& batch : batches) {
    const std::int64_t squares = batch.count * batch.shorter() * batch.shorter();
    if (batch.elements() > most) most = batch.elements();
    if (squares > most_square) most_square = squares;
    if (batch.count > most_matrices) most_matrices = batch.count;
  }
  matrices = {carver.take<T>(most), most};
  next = {carver.take<T>(most), most};
  gram = {carver.take<T>(most_square), most_square};
  quintic = {carver.take<T>(most_square), most_square};
  inverse = {carver.take<float>(most_matrices), most_matrices};
}

template struct OrthogonalizeMemory<float>;
template struct OrthogonalizeMemory<Bfloat16>;
template DeviceSpan<const float> orthogonalize<float>(MatrixProducts&, cudaStream_t, std::span<const Quintic>, double,
                                                      const MatrixBatch&, const OrthogonalizeMemory<float>&);
template DeviceSpan<const Bfloat16> orthogonalize<Bfloat16>(MatrixProducts&, cudaStream_t, std::span<const Quintic>,
                                                            double, const MatrixBatch&,
                                                            const OrthogonalizeMemory<Bfloat16>&);

}  // namespace strider::cuda
