#include "geometry/spectrum.h"

#include <algorithm>
#include <cmath>

#include "geometry/pearson.h"

namespace strider {
namespace {

constexpr double kRoundingOfVariance = 1e-10;  // relative to the largest

}  // namespace

PrincipalComponents principal_components(const RowMatrix& centred, int count) {
  // The smaller one of X^T X and X X^T; both have the same eigenvalues but for zeros.
  const bool is_wide = centred.cols() > centred.rows();
  Eigen::MatrixXd products;
  if (is_wide) {
    products.noalias() = centred * centred.transpose();
  } else {
    products.noalias() = centred.transpose() * centred;
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(products);
  const Eigen::Index taken = std::min<Eigen::Index>(count, products.rows());
  PrincipalComponents components{solver.eigenvalues().reverse().cwiseMax(0.0), {}};
  const Eigen::MatrixXd vectors = solver.eigenvectors().rightCols(taken).rowwise().reverse();
  if (is_wide) {
    components.scores = vectors * components.variances.head(taken).cwiseSqrt().asDiagonal();
  } else {
    components.scores = centred * vectors;
  }
  return components;
}

double effective_dimension(const PrincipalComponents& components) {
  const double sum = components.variances.sum();
  return sum * sum / components.variances.squaredNorm();
}

RowMatrix first_three(const PrincipalComponents& components) {
  RowMatrix points = RowMatrix::Zero(components.scores.rows(), 3);
  const Eigen::Index known = std::min<Eigen::Index>(3, components.scores.cols());
  points.leftCols(known) = components.scores.leftCols(known);
  return points;
}

std::optional<double> component_correlation(const GraphGeometry& graph, const PrincipalComponents& components) {
  const RowMatrix points = first_three(components);
  Pearson pearson;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    const double* const from = points.data() + 3 * i;
    const auto hops = graph.hops_from(i);
    for (std::size_t j = i + 1; j < graph.size(); ++j) {
      if (hops[j] == kNoPath) continue;
      const double* const to = points.data() + 3 * j;
      const double x = from[0] - to[0], y = from[1] - to[1], z = from[2] - to[2];
      pearson.add(hops[j], std::sqrt(x * x + y * y + z * z));
    }
  }
  return pearson.value();
}

std::optional<double> laplacian_alignment(const GraphGeometry& graph, const PrincipalComponents& components) {
  const Eigen::MatrixXd& modes = graph.laplacian.vectors;
  if (modes.cols() == 0) return std::nullopt;
  double sum = 0;
  for (Eigen::Index i = 0; i < std::min(modes.cols(), components.scores.cols()); ++i) {
    const double variance = components.variances[i];
    if (variance <= kRoundingOfVariance * components.variances[0]) break;
    sum += (modes.transpose() * components.scores.col(i)).squaredNorm() / variance;
  }
  return sum / static_cast<double>(modes.cols());
}

std::optional<double> laplacian_variance(const GraphGeometry& graph, const RowMatrix& centred) {
  const Eigen::MatrixXd& modes = graph.laplacian.vectors;
  if (modes.cols() == 0) return std::nullopt;
  return (modes.transpose() * centred).squaredNorm() / centred.squaredNorm();
}

DirichletEnergy dirichlet_energy(const GraphGeometry& graph, const RowMatrix& centred) {
  DirichletEnergy energy;
  double edges = 0;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    for (const std::int32_t j : graph.graph.neighbours_of(i)) {
      if (static_cast<std::size_t>(j) < i) continue;
      energy.sum += (centred.row(static_cast<Eigen::Index>(i)) - centred.row(j)).squaredNorm();
      edges += 1;
    }
  }
  // The mean of |x_i - x_j|^2 over all pairs is 2 |X|^2 / (n - 1).
  const double of_all = 2.0 * centred.squaredNorm() / static_cast<double>(centred.rows() - 1);
  energy.ratio = energy.sum / edges / of_all;
  return energy;
}

}  // namespace strider
