#pragma once
// The smoothest functions on a graph: the first eigenvectors of its Laplacian L = D - A, with A the adjacency matrix
// and D the diagonal of the degrees (Chung, Spectral Graph Theory, 1997; von Luxburg, A Tutorial on Spectral
// Clustering, 2007).
#include <vector>

#include "geometry/matrix.h"
#include "graph/graph.h"

namespace strider {

struct LaplacianModes {
  std::vector<double> values;  // ascending
  Eigen::MatrixXd vectors;     // [nodes, values], orthonormal, each of sum 0
};

/// The first `least` eigenvectors after the constant one, and those after them with the same eigenvalue as the last
/// (relative 1e-6): single vectors of an eigenspace are arbitrary, the space is not. Empty where the space goes on for
/// more than 8 vectors, as in a complete graph, where no function is smoother than another, where the eigenvalues lie
/// so close together that they cannot be told apart, and where there are no more than `least` + 1 nodes. `graph` is
/// undirected, without self-loops.
///
/// Method: up to 256 nodes a dense solver; above, subspace iteration with the inverse of the shifted Laplacian by a
/// sparse Cholesky factorization, and Rayleigh-Ritz (Saad, Numerical Methods for Large Eigenvalue Problems, 2011,
/// chapter 5). The starting vectors are numpy's default_rng(0).
LaplacianModes laplacian_modes(const Graph& graph, int least);

}  // namespace strider
