#include "geometry/projection.h"

#include <algorithm>
#include <cmath>

#include "geometry/matrix.h"
#include "geometry/spectrum.h"

namespace strider {
namespace {

using FloatRows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

void fix_signs(Eigen::Ref<RowMatrix> points) {
  for (Eigen::Index column = 0; column < points.cols(); ++column) {
    Eigen::Index largest = 0;
    points.col(column).cwiseAbs().maxCoeff(&largest);
    if (points(largest, column) < 0) points.col(column) *= -1.0;
  }
}

Eigen::Matrix3d rotation_onto(const RowMatrix& points, std::span<const float> like) {
  const Eigen::Map<const FloatRows> target(like.data(), points.rows(), 3);
  const Eigen::Matrix3d products = points.transpose() * target.cast<double>();
  const Eigen::JacobiSVD<Eigen::Matrix3d> svd(products, Eigen::ComputeFullU | Eigen::ComputeFullV);
  return svd.matrixU() * svd.matrixV().transpose();
}

}  // namespace

Projection project(std::span<const float> values, std::size_t nodes, std::span<const float> like) {
  const auto rows = static_cast<Eigen::Index>(nodes);
  const Eigen::Map<const FloatRows> layer(values.data(), rows, static_cast<Eigen::Index>(values.size()) / rows);
  RowMatrix centred = layer.cast<double>();
  centred.rowwise() -= centred.colwise().mean().eval();
  const PrincipalComponents components = principal_components(centred, 3);

  Projection projection;
  RowMatrix points = RowMatrix::Zero(rows, 3);
  const double total = components.variances.sum();
  for (Eigen::Index i = 0; i < components.scores.cols(); ++i) {
    points.col(i) = components.scores.col(i);
    if (total > 0) projection.shares[static_cast<std::size_t>(i)] = components.variances[i] / total;
  }
  fix_signs(points);
  if (!like.empty()) points = (points * rotation_onto(points, like)).eval();
  projection.points.resize(3 * nodes);
  Eigen::Map<FloatRows>(projection.points.data(), rows, 3) = points.cast<float>();
  return projection;
}

}  // namespace strider
