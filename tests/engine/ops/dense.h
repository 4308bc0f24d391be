#pragma once
// Small dense matrices in float64, written as plainly as possible.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "engine/cpu/ops/orthogonalize.h"

namespace strider::test {

struct Dense {
  Dense(std::int64_t rows_, std::int64_t columns_)
      : rows(rows_), columns(columns_), values(static_cast<std::size_t>(rows_ * columns_)) {}

  // Of floats.
  static Dense random(std::int64_t rows, std::int64_t columns, unsigned seed) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal;
    Dense made(rows, columns);
    for (double& value : made.values) value = normal(generator);
    return made;
  }

  double& operator()(std::int64_t r, std::int64_t c) { return values[static_cast<std::size_t>(r * columns + c)]; }
  double operator()(std::int64_t r, std::int64_t c) const { return values[static_cast<std::size_t>(r * columns + c)]; }

  std::int64_t rows, columns;
  std::vector<double> values;
};

inline Dense transposed(const Dense& x) {
  Dense y(x.columns, x.rows);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::int64_t c = 0; c < x.columns; ++c) y(c, r) = x(r, c);
  }
  return y;
}

inline Dense product(const Dense& a, const Dense& b) {
  Dense c(a.rows, b.columns);
  for (std::int64_t i = 0; i < a.rows; ++i) {
    for (std::int64_t k = 0; k < a.columns; ++k) {
      for (std::int64_t j = 0; j < b.columns; ++j) c(i, j) += a(i, k) * b(k, j);
    }
  }
  return c;
}

inline double dot(const Dense& a, const Dense& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.values.size(); ++i) sum += a.values[i] * b.values[i];
  return sum;
}

inline double largest_difference(const Dense& a, const Dense& b) {
  double most = 0.0;
  for (std::size_t i = 0; i < a.values.size(); ++i) most = std::max(most, std::abs(a.values[i] - b.values[i]));
  return most;
}

// X <- a X + (b A + c A^2) X with A = X X^T, after X / (|X| + 1e-7), as published (there with the rows as the shorter
// side).
inline Dense orthogonalized(Orthogonalization method, std::int64_t steps, const Dense& matrix) {
  Dense x = matrix.rows > matrix.columns ? transposed(matrix) : matrix;
  const double safety = method == Orthogonalization::kPolarExpress ? 1.01 : 1.0;
  const double norm = std::sqrt(dot(x, x)) * safety + 1e-7;
  for (double& value : x.values) value /= norm;
  for (const Quintic& step : orthogonalization_steps(method, steps)) {
    const Dense gram = product(x, transposed(x));
    Dense factor = product(gram, gram);
    for (std::size_t i = 0; i < factor.values.size(); ++i) {
      factor.values[i] = step.b * gram.values[i] + step.c * factor.values[i];
    }
    const Dense moved = product(factor, x);
    for (std::size_t i = 0; i < x.values.size(); ++i) x.values[i] = step.a * x.values[i] + moved.values[i];
  }
  return matrix.rows > matrix.columns ? transposed(x) : x;
}

// One-sided Jacobi rotations (Hestenes): the columns of the result of many are orthogonal, and the singular values are
// their lengths.
inline std::vector<double> singular_values(const Dense& matrix) {
  Dense x = matrix.rows >= matrix.columns ? transposed(matrix) : matrix;  // columns in rows: one after the other
  for (int sweep = 0; sweep < 30; ++sweep) {
    double most = 0.0;
    for (std::int64_t p = 0; p < x.rows; ++p) {
      for (std::int64_t q = p + 1; q < x.rows; ++q) {
        double pp = 0.0, qq = 0.0, pq = 0.0;
        for (std::int64_t i = 0; i < x.columns; ++i) {
          pp += x(p, i) * x(p, i);
          qq += x(q, i) * x(q, i);
          pq += x(p, i) * x(q, i);
        }
        if (pq == 0.0) continue;
        most = std::max(most, std::abs(pq) / std::sqrt(pp * qq));
        const double zeta = (qq - pp) / (2.0 * pq);
        const double t = (zeta >= 0.0 ? 1.0 : -1.0) / (std::abs(zeta) + std::sqrt(1.0 + zeta * zeta));
        const double cosine = 1.0 / std::sqrt(1.0 + t * t), sine = cosine * t;
        for (std::int64_t i = 0; i < x.columns; ++i) {
          const double xp = x(p, i), xq = x(q, i);
          x(p, i) = cosine * xp - sine * xq;
          x(q, i) = sine * xp + cosine * xq;
        }
      }
    }
    if (most < 1e-10) break;
  }
  std::vector<double> values;
  for (std::int64_t r = 0; r < x.rows; ++r) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < x.columns; ++i) sum += x(r, i) * x(r, i);
    values.push_back(std::sqrt(sum));
  }
  return values;
}

// A square matrix whose rows are orthonormal (Gram and Schmidt, twice).
inline Dense random_orthogonal(std::int64_t size, unsigned seed) {
  Dense x = Dense::random(size, size, seed);
  for (std::int64_t r = 0; r < size; ++r) {
    for (int pass = 0; pass < 2; ++pass) {
      for (std::int64_t before = 0; before < r; ++before) {
        double overlap = 0.0;
        for (std::int64_t i = 0; i < size; ++i) overlap += x(r, i) * x(before, i);
        for (std::int64_t i = 0; i < size; ++i) x(r, i) -= overlap * x(before, i);
      }
    }
    double sum = 0.0;
    for (std::int64_t i = 0; i < size; ++i) sum += x(r, i) * x(r, i);
    for (std::int64_t i = 0; i < size; ++i) x(r, i) /= std::sqrt(sum);
  }
  return x;
}

inline Dense with_singular_values(const std::vector<double>& values, unsigned seed) {
  const auto size = static_cast<std::int64_t>(values.size());
  Dense left = random_orthogonal(size, seed);
  for (std::int64_t r = 0; r < size; ++r) {
    for (std::int64_t c = 0; c < size; ++c) left(r, c) *= values[static_cast<std::size_t>(c)];
  }
  return product(left, random_orthogonal(size, seed + 1));
}

}  // namespace strider::test
