#pragma once
// What the tests of the GPU engine need to know of the GPU that they run on. They are built twice: on the emulator
// (cuda_on_cpu/emulated_gpu.cpp, target cuda_tests) and for a real one (gpu/real_gpu.cpp, target gpu_tests, GPU=1).
#include <cstdint>
#include <memory>
#include <optional>

#include "engine/cuda/products.h"
#include "engine/precision.h"

namespace strider::test {

/// cuBLASLt's products for an engine of this precision; on the emulator a product by its definition.
std::unique_ptr<cuda::MatrixProducts> make_products(Precision precision = Precision::kFloat32);

/// Makes engines that are made from now on multiply wrongly, or rightly again. False where that cannot be done.
bool set_products_wrong(bool wrong);

/// Sets what cuda_bytes_for_walks() says from now on, and returns what it has said. None, and nothing set, where that
/// is what a real GPU has free.
std::optional<std::uint64_t> set_bytes_for_walks(std::uint64_t bytes);

/// Takes threads and blocks from the last to the first. A real GPU chooses their order itself: this changes nothing.
void run_backwards(bool backwards);

/// Launches of kernels so far, those of graphs included; none on a real GPU, where nothing counts them.
std::optional<std::int64_t> launches();

/// Bytes that were copied between host and GPU so far; none on a real GPU, where nothing counts them.
std::optional<std::int64_t> copied_bytes();

}  // namespace strider::test
