#pragma once
// What the covariance of a layer says: principal components, effective dimension, and how much of the layer varies as
// slowly over the graph as the first eigenvectors of its Laplacian. X [nodes, width] is the layer minus the mean of its
// rows.
#include <optional>

#include "geometry/graph_geometry.h"
#include "geometry/matrix.h"

namespace strider {

struct PrincipalComponents {
  Eigen::VectorXd variances;  // eigenvalues of X^T X, descending
  RowMatrix scores;           // [nodes, components]: X times its first right singular vectors
};

/// The first `count` components (Jolliffe, Principal Component Analysis, 2002), or as many as X has rows or columns.
/// All variances that are not zero are in `variances`.
PrincipalComponents principal_components(const RowMatrix& centred, int count);

/// The participation ratio (sum l)^2 / sum l^2 of the variances l: 1 for a line, d for d equal ones (Gao et al. 2017,
/// "A theory of multineuronal dimensionality, dynamics and measurement").
double effective_dimension(const PrincipalComponents& components);

/// The first three scores, zero where there are fewer.
RowMatrix first_three(const PrincipalComponents& components);

/// Pearson's correlation, over all pairs of nodes with a path between them, of graph distance and Euclidean distance of
/// the first three scores. Nothing where one of the two is constant.
std::optional<double> component_correlation(const GraphGeometry& graph, const PrincipalComponents& components);

/// |U^T V|_F^2 / m: the mean squared cosine of the principal angles (Bjoerck and Golub 1973) between the first m
/// eigenvectors U of the graph's Laplacian and the first m principal components V [nodes, m], left singular vectors of
/// X. 1: the layer's first components are the graph's smoothest functions; m / (nodes - 1) by chance. `components` has
/// at least m where X does. Nothing where the graph has no such U.
std::optional<double> laplacian_alignment(const GraphGeometry& graph, const PrincipalComponents& components);

/// |U^T X|_F^2 / |X|_F^2: the share of the layer's variance that these functions explain.
std::optional<double> laplacian_variance(const GraphGeometry& graph, const RowMatrix& centred);

struct DirichletEnergy {
  double sum = 0;  // of |x_i - x_j|^2 over the edges, each once: trace(X^T L X)
  double ratio =
      0;  // its mean over the edges divided by the mean over all pairs; 1 where the graph makes no difference
};

/// Dirichlet energy of a layer over the graph (Belkin and Niyogi 2003, equation 1; of representations Park et al. 2024,
/// "ICLR: In-context learning of representations").
DirichletEnergy dirichlet_energy(const GraphGeometry& graph, const RowMatrix& centred);

}  // namespace strider
