#include "graph/best_loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace strider {
namespace {

[[noreturn]] void fail(const std::string& message, std::int64_t walk, std::size_t position) {
  throw Error(message,
              {.file = {},
               .place = fmt::format("walk {} of those counted, position {}", walk, position),
               .advice = "These walks were not made by the rule in the file beside them (walk_rule_*.json). Make them "
                         "again, or delete that file: then the best possible loss is not known."});
}

}  // namespace

BestLoss::BestLoss(const RuledGraph& ruled) : ruled_(ruled) {
  const Graph& graph = ruled.graph;
  std::size_t most = 0;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    nodes_.emplace(graph.labels[i], static_cast<std::int32_t>(i));
    most = std::max(most, graph.neighbours_of(i).size());
  }
  choices_.resize(most + 1);
  // A window longer than any walk is one as long; so the clock cannot overflow.
  constexpr std::int64_t kLongestWalk = 1LL << 31;
  window_ = std::min(ruled.rule.settings.no_repeat_window, kLongestWalk);
  clock_ = window_;
  seen_.assign(graph.size(), -1);
}

std::int32_t BestLoss::node_of(std::int32_t id, std::size_t position) const {
  const auto found = nodes_.find(id);
  if (found == nodes_.end()) fail(fmt::format("the graph has no node {}", id), walks_, position);
  return found->second;
}

void BestLoss::add(std::span<const std::int32_t> ids) {
  if (ids.empty() || ruled_.rule.settings.restart_prob > 0.0) return;
  clock_ += window_ + 1;
  std::int32_t node = node_of(ids[0], 0);
  seen_[node] = clock_;
  for (std::size_t i = 1; i < ids.size(); ++i) {
    ++clock_;
    const std::int32_t next = node_of(ids[i], i);
    const std::span<const std::int32_t> all = ruled_.graph.neighbours_of(static_cast<std::size_t>(node));
    const auto is_free = [&](std::int32_t n) { return seen_[n] < clock_ - window_; };
    const auto free = static_cast<std::size_t>(std::count_if(all.begin(), all.end(), is_free));
    if (all.empty()) {
      jumped_ = true;
    } else if (!std::binary_search(all.begin(), all.end(), next)) {
      fail(fmt::format("the graph has no edge from {} to {}", ids[i - 1], ids[i]), walks_, i);
    } else if (free > 0 && !is_free(next)) {
      fail(fmt::format("{} was among the last {} nodes, and others were free", ids[i], window_), walks_, i);
    } else if (ruled_.graph.is_weighted()) {
      const std::span<const double> weights = ruled_.graph.weights_of(static_cast<std::size_t>(node));
      double sum = 0.0, taken = 0.0;
      for (std::size_t k = 0; k < all.size(); ++k) {
        if (free > 0 && !is_free(all[k])) continue;
        sum += weights[k];
        if (all[k] == next) taken = weights[k];
      }
      weighted_loss_ += std::log(sum / taken);
      ++weighted_steps_;
    } else {
      ++choices_[free > 0 ? free : all.size()];
    }
    node = next;
    seen_[node] = clock_;
  }
  ++walks_;
}

std::optional<double> BestLoss::mean() const {
  if (jumped_ || ruled_.rule.settings.restart_prob > 0.0) return std::nullopt;
  std::uint64_t steps = weighted_steps_;
  double sum = weighted_loss_;
  for (std::size_t k = 1; k < choices_.size(); ++k) {
    steps += choices_[k];
    sum += static_cast<double>(choices_[k]) * std::log(static_cast<double>(k));
  }
  if (steps == 0) return std::nullopt;
  return sum / static_cast<double>(steps);
}

}  // namespace strider
