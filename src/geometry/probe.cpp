#include "geometry/probe.h"

#include <cstdint>

#include "base/random/pcg64.h"

namespace strider {
namespace {

RowMatrix rows_of(const RowMatrix& matrix, const std::vector<Eigen::Index>& rows) {
  return matrix(rows, Eigen::all);
}

std::vector<std::vector<Eigen::Index>> folds_of(Eigen::Index nodes) {
  std::vector<std::vector<Eigen::Index>> folds(kProbeFolds);
  const std::vector<std::int64_t> order = NumpyGenerator(42).permutation(nodes);
  for (std::size_t i = 0; i < order.size(); ++i) folds[i % kProbeFolds].push_back(order[i]);
  return folds;
}

}  // namespace

ProbeScores probe_coordinates(const RowMatrix& centred, const RowMatrix& targets) {
  const Eigen::Index width = centred.cols();
  const RowMatrix wanted = targets.rowwise() - targets.colwise().mean();
  const Eigen::MatrixXd gram = centred.transpose() * centred;
  const Eigen::MatrixXd moments = centred.transpose() * wanted;
  Eigen::RowVectorXd errors = Eigen::RowVectorXd::Zero(wanted.cols());
  for (const std::vector<Eigen::Index>& fold : folds_of(centred.rows())) {
    // Sums over the other nodes are those over all nodes, which are 0 for the means, without those of the fold.
    const RowMatrix held = rows_of(centred, fold);
    const RowMatrix held_wanted = rows_of(wanted, fold);
    const double others = static_cast<double>(centred.rows()) - static_cast<double>(fold.size());
    const Eigen::RowVectorXd mean = -held.colwise().sum() / others;
    const Eigen::RowVectorXd wanted_mean = -held_wanted.colwise().sum() / others;
    Eigen::MatrixXd system = gram - held.transpose() * held - others * mean.transpose() * mean;
    system.diagonal().array() += system.trace() / (static_cast<double>(width) * others);
    const Eigen::MatrixXd weights = Eigen::LLT<Eigen::MatrixXd>(system).solve(moments - held.transpose() * held_wanted -
                                                                              others * mean.transpose() * wanted_mean);
    const RowMatrix predicted = ((held.rowwise() - mean) * weights).rowwise() + wanted_mean;
    errors += (held_wanted - predicted).colwise().squaredNorm();
  }
  ProbeScores scores;
  double sum = 0, varying = 0;
  for (Eigen::Index column = 0; column < wanted.cols(); ++column) {
    const double total = wanted.col(column).squaredNorm();
    if (total <= 1e-20 * targets.col(column).squaredNorm()) {
      scores.by_coordinate.emplace_back();
      continue;
    }
    scores.by_coordinate.emplace_back(1.0 - errors[column] / total);
    sum += *scores.by_coordinate.back();
    varying += 1;
  }
  if (varying > 0) scores.mean = sum / varying;
  return scores;
}

}  // namespace strider
