#pragma once
#include <optional>
#include <vector>

#include "geometry/matrix.h"

namespace strider {

struct ProbeScores {
  std::optional<double> mean;                        // over the coordinates that vary; nothing where none does
  std::vector<std::optional<double>> by_coordinate;  // [columns of targets]
};

inline constexpr int kProbeFolds = 5;

/// Linear probes (Alain and Bengio 2016): how well an affine function of a node's representation gives its coordinates,
/// on nodes that the function was not fitted to. R^2 = 1 - sum (y - prediction)^2 / sum (y - mean y)^2 over all nodes,
/// each predicted by the fit without its fold; below 0 where the mean predicts better.
///   folds  the node at place i of numpy's default_rng(42).permutation(nodes) is in fold i mod 5
///   fit    ridge regression (Hoerl and Kennard 1970) on rows and targets minus their means over the fitted nodes:
///          W = (X^T X + c I)^-1 X^T Y, with c the mean variance of the columns of X: scikit-learn's Ridge(alpha=1) on
///          columns of variance 1
/// `centred` [nodes, width] and `targets` [nodes, coordinates] have at least five rows.
ProbeScores probe_coordinates(const RowMatrix& centred, const RowMatrix& targets);

}  // namespace strider
