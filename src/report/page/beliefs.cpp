#include "report/page/beliefs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace strider {

void softmax(std::span<const float> logits, std::vector<double>& out) {
  out.resize(logits.size());
  const double largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) sum += out[i] = std::exp(logits[i] - largest);
  for (double& value : out) value /= sum;
}

Beliefs::Beliefs(const Graph& graph, std::optional<std::int64_t> window)
    : graph_(graph),
      knows_rule_(window.has_value()),
      window_(window.value_or(0)),
      node_losses_(graph.size()),
      node_counts_(graph.size()) {
  for (std::size_t node = 0; node < graph.size(); ++node) {
    node_of_.emplace(graph.labels[node], static_cast<std::int32_t>(node));
  }
}

std::optional<std::vector<std::int32_t>> Beliefs::nodes_of(std::span<const std::int32_t> ids) const {
  std::vector<std::int32_t> nodes;
  for (const std::int32_t id : ids) {
    const auto found = node_of_.find(id);
    if (found == node_of_.end()) return std::nullopt;
    nodes.push_back(found->second);
  }
  return nodes;
}

bool Beliefs::add(std::span<const std::int32_t> ids, std::span<const float> logits) {
  const auto nodes = nodes_of(ids);
  if (!nodes || ids.size() < 2) return false;
  const std::size_t vocabulary = logits.size() / ids.size();
  for (std::vector<double>* sums : {&neighbours_, &allowed_, &losses_, &counts_}) {
    sums->resize(std::max(sums->size(), ids.size() - 1));
  }
  std::vector<double> probability;
  for (std::size_t p = 0; p + 1 < ids.size(); ++p) {
    softmax(logits.subspan(p * vocabulary, vocabulary), probability);
    const auto node = static_cast<std::size_t>((*nodes)[p]);
    const auto first = p + 1 > static_cast<std::size_t>(window_) ? p + 1 - static_cast<std::size_t>(window_) : 0;
    const std::span<const std::int32_t> recent(nodes->data() + first, p + 1 - first);
    double all = 0, free = 0;
    bool any_free = false;
    for (const std::int32_t neighbour : graph_.neighbours_of(node)) {
      const double share = probability[static_cast<std::size_t>(graph_.labels[static_cast<std::size_t>(neighbour)])];
      all += share;
      if (std::ranges::find(recent, neighbour) != recent.end()) continue;
      any_free = true;
      free += share;
    }
    const double loss = -std::log(probability[static_cast<std::size_t>(ids[p + 1])]);
    neighbours_[p] += all;
    allowed_[p] += any_free ? free : all;
    losses_[p] += loss;
    counts_[p] += 1;
    node_losses_[node] += loss;
    node_counts_[node] += 1;
    ++predictions_;
  }
  return true;
}

std::optional<PlayedWalk> Beliefs::play(std::span<const std::int32_t> ids, std::span<const float> logits) const {
  const auto nodes = nodes_of(ids);
  if (!nodes) return std::nullopt;
  const std::size_t vocabulary = logits.size() / ids.size();
  PlayedWalk walk;
  for (const std::int32_t node : *nodes) walk.nodes.push_back(static_cast<std::uint16_t>(node));
  std::vector<double> probability;
  std::vector<std::size_t> order(graph_.size());
  const std::size_t kept = std::min(kLikely, graph_.size());
  for (std::size_t p = 0; p + 1 < ids.size(); ++p) {
    softmax(logits.subspan(p * vocabulary, vocabulary), probability);
    const auto of = [&](std::size_t node) { return probability[static_cast<std::size_t>(graph_.labels[node])]; };
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
                      [&](std::size_t a, std::size_t b) { return of(a) != of(b) ? of(a) > of(b) : a < b; });
    for (std::size_t i = 0; i < kLikely; ++i) {
      const std::size_t node = order[std::min(i, kept - 1)];
      walk.likely.push_back(static_cast<std::uint16_t>(node));
      walk.probabilities.push_back(i < kept ? static_cast<std::uint16_t>(std::lround(65535 * of(node))) : 0);
    }
    walk.losses.push_back(static_cast<float>(-std::log(probability[static_cast<std::size_t>(ids[p + 1])])));
  }
  return walk;
}

double Beliefs::mean(const std::vector<double>& sums) const {
  return std::accumulate(sums.begin(), sums.end(), 0.0) / static_cast<double>(std::max<std::int64_t>(1, predictions_));
}

std::vector<float> Beliefs::means(const std::vector<double>& sums) const {
  std::vector<float> means;
  for (std::size_t i = 0; i < sums.size(); ++i) means.push_back(static_cast<float>(sums[i] / counts_[i]));
  return means;
}

std::vector<float> Beliefs::node_losses() const {
  std::vector<float> losses;
  for (std::size_t node = 0; node < node_losses_.size(); ++node) {
    const double count = node_counts_[node];
    losses.push_back(count > 0 ? static_cast<float>(node_losses_[node] / count)
                               : std::numeric_limits<float>::quiet_NaN());
  }
  return losses;
}

}  // namespace strider
