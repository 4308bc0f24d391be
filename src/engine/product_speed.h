#pragma once
// How fast this machine does the engine's own matrix products.
#include "engine/precision.h"

namespace strider {

/// Floating-point operations per second (a multiplication and an addition are two) of `threads` threads that each
/// multiply 256 rows by a matrix of 256 x 256, as a block of a model does, the rounding to bfloat16 included. Measured
/// in about 0.15 s.
double measure_product_flops(Precision precision, int threads);

}  // namespace strider
