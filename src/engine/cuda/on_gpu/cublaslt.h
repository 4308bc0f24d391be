#pragma once
// Matrix products by NVIDIA's cuBLASLt, which is looked for when a run asks for the GPU: the program starts without it.
#include <memory>
#include <string>

#include "engine/cuda/products.h"
#include "engine/precision.h"

namespace strider::cuda {

/// Opens the library of the CUDA version that the program was built with: as the system's loader finds it, else in
/// $CUDA_HOME, else where it was at build time. Throws Error with the places where it was looked for.
/// With Precision::kTf32 float32 operands are rounded to TensorFloat-32, else they are multiplied as they are.
std::unique_ptr<MatrixProducts> open_cublaslt(Precision precision);

/// Whether the library can be opened and has every function; the reason where not. Needs no GPU.
std::string cublaslt_obstacle();

}  // namespace strider::cuda
