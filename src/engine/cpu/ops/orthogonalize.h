#pragma once
// Muon's orthogonalization. With the singular value decomposition X = U S V^T it replaces S by values near 1, that is X
// by about U V^T, the orthogonal matrix nearest to it, with matrix products alone. A step applies an odd polynomial to
// every singular value x in (0, 1]:
//   p(x) = a x + b x^3 + c x^5,   as a matrix   X (a I + b A + c A^2)   with   A = X^T X
// X is scaled by its Frobenius norm before the first step, which bounds the largest singular value by 1.
//
// Where X [n, m] is at least twice as tall as wide, most of that is the two products with X in every step, and the
// steps are taken on A alone (the Gram form): with Q = p(A) the factor of a step,
//   A' = Q A Q,   X Q1 Q2 Q3 = X (Q1 Q2 Q3)
// so that a run of steps has two products with X in all. All factors are polynomials of A: they commute, their products
// are symmetric, and half of each is computed. With n = 4 m, three steps are 21 m^3 multiplications instead of 39.
// Rounding enters A once and is amplified with its small eigenvalues, by a^2 at each step, so after kGramSteps steps A
// is made anew from X.
#include <cstdint>
#include <vector>

#include "base/carver.h"
#include "engine/cpu/ops/rows.h"
#include "engine/optimizer.h"

namespace strider {

/// The polynomial of one step.
struct Quintic {
  double a = 0.0, b = 0.0, c = 0.0;
};

/// The polynomials of all steps.
///   kNewtonSchulz  the same one in every step: Jordan (kellerjordan.github.io/posts/muon, 2024), as in
///   torch.optim.Muon.
///                  Five steps take [0.002, 1] into [0.68, 1.21]; it never converges to 1.
///   kPolarExpress  one for each step, the best for what the steps before leave: Amsel, Persson, Musco and Gower
///                  (arXiv:2505.16932, listing 1), for singular values from 1e-3 on, with the safety factor of 1.01.
///                  Five steps take [0.001, 1] into [0.84, 1.13], seven come within 2e-5 of 1.
std::vector<Quintic> orthogonalization_steps(Orthogonalization method, std::int64_t steps);

/// What a matrix's Frobenius norm is multiplied by before the matrix is divided by it: the norm and the products are
/// rounded, and the polynomials of kPolarExpress are made for an interval that the largest singular value must not
/// leave.
double orthogonalization_norm_factor(Orthogonalization method);

/// Memory to orthogonalize a [rows, columns] matrix.
struct OrthogonalizeMemory {
  Rows matrix;           // [rows, columns], filled by the caller
  Rows tall, tall_next;  // [longer side, shorter side]; `tall` is `matrix` where that has no more columns than rows
  Rows gram, factor;     // [shorter side, shorter side]
  Rows step_factor;      // the same, in the Gram form alone
  Rows spare;            // the same, in the Gram form alone

  void lay_out(Carver& carver, std::int64_t rows, std::int64_t columns);
};

/// Orthogonalizes memory.matrix and returns where the result is: [rows, columns], valid until the memory is used again.
/// A matrix of zeros stays one. One thread, and a fixed order of all sums.
ConstRows orthogonalize(Orthogonalization method, std::int64_t steps, std::int64_t rows, std::int64_t columns,
                        const OrthogonalizeMemory& memory);

}  // namespace strider
