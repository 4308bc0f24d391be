#pragma once
// Eigen's matrices by the names that this room uses. Only sources and internal headers of geometry/ include it.
#include <Eigen/Dense>

namespace strider {

/// A row per node, as representations lie in their files.
using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

}  // namespace strider
