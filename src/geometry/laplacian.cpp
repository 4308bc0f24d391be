#include "geometry/laplacian.h"

#include <Eigen/SparseCholesky>
#include <algorithm>

#include "base/random/pcg64.h"

namespace strider {
namespace {

constexpr Eigen::Index kMostDense = 256;
constexpr int kMostMore = 8;       // eigenvectors taken beyond those asked for, to complete an eigenspace
constexpr int kOversampling = 16;  // more vectors than are used, so that those converge quickly
constexpr int kMostRounds = 1000;
constexpr double kSameValue = 1e-6;  // relative
constexpr double kResidual = 1e-10;  // relative to the largest possible eigenvalue

using Sparse = Eigen::SparseMatrix<double>;

Sparse laplacian(const Graph& graph) {
  const auto nodes = static_cast<Eigen::Index>(graph.size());
  std::vector<Eigen::Triplet<double>> entries;
  for (Eigen::Index node = 0; node < nodes; ++node) {
    const auto neighbours = graph.neighbours_of(static_cast<std::size_t>(node));
    entries.emplace_back(node, node, static_cast<double>(neighbours.size()));
    for (const std::int32_t next : neighbours) entries.emplace_back(node, next, -1.0);
  }
  Sparse matrix(nodes, nodes);
  matrix.setFromTriplets(entries.begin(), entries.end());
  return matrix;
}

// How many of the ascending `values`, at least `least`, end where an eigenspace ends; 0: no such place among them.
// Below a millionth of `largest` values are compared absolutely: those that are 0 up to rounding are the same.
Eigen::Index end_of_eigenspace(const Eigen::VectorXd& values, Eigen::Index least, double largest) {
  for (Eigen::Index count = least; count < values.size(); ++count) {
    if (values[count] - values[count - 1] > kSameValue * std::max(values[count], 1e-6 * largest)) return count;
  }
  return 0;
}

// No eigenvalue is larger (Gershgorin's circles).
double largest_value(const Sparse& matrix) {
  return 2.0 * matrix.diagonal().maxCoeff();
}

LaplacianModes first_modes(const Eigen::VectorXd& values, const Eigen::MatrixXd& vectors, Eigen::Index count) {
  const double* const begin = values.data();
  return {std::vector<double>(begin, begin + count), vectors.leftCols(count)};
}

void remove_means(Eigen::MatrixXd& vectors) {
  vectors.rowwise() -= vectors.colwise().mean().eval();
}

LaplacianModes dense_modes(const Sparse& matrix, Eigen::Index least) {
  const Eigen::Index nodes = matrix.rows();
  // The constant vector is moved from the lower end of the spectrum, where others may share its eigenvalue, to above
  // it.
  const double largest = largest_value(matrix);
  const double above = 2.0 * largest + 1.0;
  const Eigen::MatrixXd moved = Eigen::MatrixXd(matrix).array() + above / static_cast<double>(nodes);
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(moved);
  const Eigen::VectorXd values = solver.eigenvalues().head(nodes - 1).cwiseMax(0.0);
  const Eigen::Index count = end_of_eigenspace(values, least, largest);
  if (count == 0 || count > least + kMostMore) return {};
  return first_modes(values, solver.eigenvectors(), count);
}

Eigen::MatrixXd starting_vectors(Eigen::Index nodes, Eigen::Index count) {
  NumpyGenerator generator(0);
  Eigen::MatrixXd vectors(nodes, count);
  for (Eigen::Index column = 0; column < count; ++column) {
    for (Eigen::Index row = 0; row < nodes; ++row) vectors(row, column) = generator.random();
  }
  return vectors;
}

LaplacianModes sparse_modes(const Sparse& matrix, Eigen::Index least) {
  const Eigen::Index nodes = matrix.rows();
  const Eigen::Index wanted = least + kMostMore + 1;
  const Eigen::Index count = wanted + kOversampling;
  const double largest = largest_value(matrix);
  Sparse shifted = matrix;
  shifted.diagonal().array() += 1e-8 * largest;
  const Eigen::SimplicialLDLT<Sparse> factors(shifted);
  Eigen::MatrixXd vectors = starting_vectors(nodes, count);
  for (int round = 0; round < kMostRounds; ++round) {
    remove_means(vectors);
    vectors = factors.solve(vectors).eval();
    remove_means(vectors);
    const Eigen::HouseholderQR<Eigen::MatrixXd> qr(vectors);
    vectors = qr.householderQ() * Eigen::MatrixXd::Identity(nodes, count);
    const Eigen::MatrixXd images = matrix * vectors;
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> ritz(vectors.transpose() * images);
    const Eigen::VectorXd values = ritz.eigenvalues().cwiseMax(0.0);
    const Eigen::MatrixXd residuals =
        images * ritz.eigenvectors() - vectors * (ritz.eigenvectors() * ritz.eigenvalues().asDiagonal());
    vectors = vectors * ritz.eigenvectors();
    // What comes after the end of the eigenspace only has to be known as well as its eigenvalue needs.
    const Eigen::Index end = end_of_eigenspace(values.head(wanted), least, largest);
    const Eigen::Index needed = end == 0 ? wanted : end;
    if (residuals.leftCols(needed).colwise().norm().maxCoeff() > kResidual * largest) continue;
    return end == 0 ? LaplacianModes{} : first_modes(values, vectors, end);
  }
  return {};
}

}  // namespace

LaplacianModes laplacian_modes(const Graph& graph, int least) {
  const Sparse matrix = laplacian(graph);
  return matrix.rows() <= kMostDense ? dense_modes(matrix, least) : sparse_modes(matrix, least);
}

}  // namespace strider
