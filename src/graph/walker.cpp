// The walks themselves (walks.h). Where a start is drawn, every rounding is numpy's: a start moves when one of them
// does.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/error.h"
#include "graph/walks.h"

namespace strider {
namespace {

constexpr double kLeastWeight = 1e-8;

[[noreturn]] void refuse(std::string_view name, const std::string& value, std::string_view may_be) {
  throw Error(fmt::format("{} is {}, which no walk can use", name, value),
              {.file = {}, .place = {}, .advice = fmt::format("Set {} to {}.", name, may_be)});
}

// numpy's sum of a contiguous array: in halves down to 128 numbers, those in eight strands.
double pairwise_sum(const double* values, std::size_t count) {
  constexpr std::size_t kStrands = 8;
  constexpr std::size_t kBlock = 128;
  if (count < kStrands) {
    double sum = 0.0;
    for (std::size_t i = 0; i < count; ++i) sum += values[i];
    return sum;
  }
  if (count > kBlock) {
    std::size_t half = count / 2;
    half -= half % kStrands;
    return pairwise_sum(values, half) + pairwise_sum(values + half, count - half);
  }
  double strand[kStrands];
  std::copy(values, values + kStrands, strand);
  std::size_t i = kStrands;
  for (; i + kStrands <= count; i += kStrands) {
    for (std::size_t k = 0; k < kStrands; ++k) strand[k] += values[i + k];
  }
  double sum =
      ((strand[0] + strand[1]) + (strand[2] + strand[3])) + ((strand[4] + strand[5]) + (strand[6] + strand[7]));
  for (; i < count; ++i) sum += values[i];
  return sum;
}

void raise(std::vector<double>& weights, double exponent) {
  if (exponent == 1.0) return;
  if (exponent == 2.0) {  // numpy squares
    for (double& weight : weights) weight *= weight;
    return;
  }
  for (double& weight : weights) weight = std::pow(weight, exponent);
}

}  // namespace

void check_walk_settings(const WalkSettings& settings) {
  const auto text = [](auto value) { return fmt::format("{}", value); };
  if (settings.max_length < 1) refuse("MAX_LENGTH", text(settings.max_length), "1 or more");
  if (settings.max_seqs < 1) refuse("MAX_SEQS", text(settings.max_seqs), "1 or more");
  if (settings.min_visits_per_node < 0) {
    refuse("MIN_VISITS_PER_NODE", text(settings.min_visits_per_node), "0 (never stop for it) or more");
  }
  if (settings.no_repeat_window < 0) {
    refuse("NO_REPEAT_WINDOW", text(settings.no_repeat_window), "0 (no such rule) or more");
  }
  if (!(settings.restart_prob >= 0.0 && settings.restart_prob <= 1.0)) {
    refuse("RESTART_PROB", text(settings.restart_prob), "a number from 0 to 1");
  }
  if (!(settings.temperature > 0.0) || std::isinf(settings.temperature)) {
    refuse("TEMPERATURE", text(settings.temperature), "a number above 0");
  }
}

Walker::Walker(const Graph& graph, const WalkSettings& settings)
    : graph_(graph), settings_(settings), generator_(settings.seed), visits_(graph.size()), lacking_(graph.size()) {
  check_walk_settings(settings);
  constexpr std::int64_t kLongest = 1LL << 31;
  if (settings.max_length >= kLongest) refuse("MAX_LENGTH", fmt::format("{}", settings.max_length), "below 2^31");
  // A window longer than a walk is one as long as a walk; so the clock cannot overflow.
  settings_.no_repeat_window = std::min(settings.no_repeat_window, settings.max_length);
  seen_.assign(graph.size(), -settings_.no_repeat_window - 1);
  std::size_t most = 0;
  for (std::size_t node = 0; node < graph.size(); ++node) most = std::max(most, graph.neighbours_of(node).size());
  free_.resize(most + 1);
  walk_.resize(settings.max_length);
  if (graph.is_weighted()) aliases_.emplace(graph);
  if (settings.start == StartRule::kVisitsTree) levels_.emplace(graph.size());
  if (settings.start == StartRule::kDegree) weigh_by_degree();
}

void Walker::weigh_by_degree() {
  cumulative_.resize(graph_.size());
  double total = 0.0;
  for (std::size_t node = 0; node < graph_.size(); ++node) {
    if (graph_.is_weighted()) {
      for (const double weight : graph_.weights_of(node)) total += weight;
    } else {
      total += static_cast<double>(graph_.neighbours_of(node).size());
    }
    cumulative_[node] = total;
  }
  if (!(total > 0.0) || std::isinf(total)) {
    throw Error("START=degree needs edges whose weights have a sum",
                {.file = {}, .place = {}, .advice = "Use START=uniform."});
  }
}

void Walker::weigh_starts() {
  const std::size_t nodes = visits_.size();
  weights_.resize(nodes);
  cumulative_.resize(nodes);
  const double mean = static_cast<double>(steps_) / static_cast<double>(nodes);
  for (std::size_t i = 0; i < nodes; ++i) {
    const double lacking = mean - visits_[i];
    weights_[i] = (lacking > 0.0 ? lacking : 0.0) + kLeastWeight;
  }
  raise(weights_, 1.0 / settings_.temperature);
  const double sum = pairwise_sum(weights_.data(), nodes);
  if (!std::isfinite(sum)) {
    throw Error(
        fmt::format("TEMPERATURE {} makes the weights of starts too large to compute with", settings_.temperature),
        {.file = {}, .place = {}, .advice = "Set TEMPERATURE higher; 1 is the usual one."});
  }
  const bool none = sum <= 0.0;  // all too small to be distinguished from 0: any node
  double total = 0.0;
  for (std::size_t i = 0; i < nodes; ++i) {
    total += none ? 1.0 / static_cast<double>(nodes) : weights_[i] / sum;
    cumulative_[i] = total;
  }
}

std::int32_t Walker::start() {
  switch (settings_.start) {
    case StartRule::kVisits:
    case StartRule::kDegree:
      break;
    case StartRule::kVisitsTree:
      return static_cast<std::int32_t>(levels_->draw(static_cast<double>(steps_) / static_cast<double>(visits_.size()),
                                                     kLeastWeight, 1.0 / settings_.temperature, generator_));
    case StartRule::kUniform:
      return static_cast<std::int32_t>(generator_.integer(static_cast<std::uint32_t>(graph_.size())));
  }
  return static_cast<std::int32_t>(generator_.choice(cumulative_));
}

// In proportion to the weights, or to 1.
std::int32_t Walker::draw_neighbour(std::size_t node) {
  if (aliases_) return aliases_->draw(graph_, node, generator_);
  const std::span<const std::int32_t> neighbours = graph_.neighbours_of(node);
  return neighbours[generator_.integer(static_cast<std::uint32_t>(neighbours.size()))];
}

// A draw among all neighbours until it is one that is free: in proportion to the weights of the free ones. Where many
// draws were not, which are free is looked up, and the draw is among these: the same distribution. So most steps look
// at one neighbour alone, which on a large graph is one cache miss instead of one for each.
std::int32_t Walker::rejecting_step_from(std::size_t node) {
  constexpr int kDraws = 8;
  const std::span<const std::int32_t> neighbours = graph_.neighbours_of(node);
  const std::int64_t oldest = clock_ - settings_.no_repeat_window;
  const auto is_free = [&](std::int32_t next) { return settings_.no_repeat_window == 0 || seen_[next] < oldest; };
  for (int draw = 0; draw < kDraws; ++draw) {
    const std::int32_t next = draw_neighbour(node);
    if (is_free(next)) return next;
  }
  const auto weight_of = [&](std::size_t i) { return graph_.is_weighted() ? graph_.weights_of(node)[i] : 1.0; };
  double sum = 0.0;
  for (std::size_t i = 0; i < neighbours.size(); ++i) {
    if (is_free(neighbours[i])) sum += weight_of(i);
  }
  if (sum == 0.0) return draw_neighbour(node);
  double left = generator_.random() * sum;
  std::int32_t last = neighbours[0];
  for (std::size_t i = 0; i < neighbours.size(); ++i) {
    if (!is_free(neighbours[i])) continue;
    last = neighbours[i];
    left -= weight_of(i);
    if (left < 0.0) break;
  }
  return last;
}

std::int32_t Walker::step_from(std::int32_t node) {
  const std::span<const std::int32_t> neighbours = graph_.neighbours_of(static_cast<std::size_t>(node));
  if (neighbours.empty()) {
    ++dead_end_jumps_;
    return start();
  }
  if (aliases_ || settings_.start != StartRule::kVisits) return rejecting_step_from(static_cast<std::size_t>(node));
  if (settings_.no_repeat_window > 0) {
    const std::int64_t oldest = clock_ - settings_.no_repeat_window;
    std::uint32_t count = 0;
    for (const std::int32_t neighbour : neighbours) {  // no branch: which are free is a matter of chance
      free_[count] = neighbour;
      count += seen_[neighbour] < oldest ? 1U : 0U;
    }
    if (count > 0) return free_[generator_.integer(count)];
  }
  return neighbours[generator_.integer(static_cast<std::uint32_t>(neighbours.size()))];
}

std::int32_t Walker::restart_from(std::int32_t node) {
  const std::int32_t next = start();
  const std::span<const std::int32_t> neighbours = graph_.neighbours_of(static_cast<std::size_t>(node));
  if (!std::binary_search(neighbours.begin(), neighbours.end(), next)) ++restart_jumps_;
  return next;
}

std::span<const std::int32_t> Walker::next() {
  if (settings_.start == StartRule::kVisits) weigh_starts();
  clock_ += settings_.no_repeat_window + 1;  // what walks before have seen is out of the window
  std::int32_t node = start();
  walk_[0] = node;
  seen_[node] = clock_;
  for (std::size_t i = 1; i < walk_.size(); ++i) {
    ++clock_;
    node = generator_.random() < settings_.restart_prob ? restart_from(node) : step_from(node);
    walk_[i] = node;
    seen_[node] = clock_;
  }
  const auto enough = static_cast<double>(settings_.min_visits_per_node);
  for (const std::int32_t visited : walk_) {
    visits_[visited] += 1.0;
    if (visits_[visited] == enough) --lacking_;
    if (levels_) levels_->visit(static_cast<std::size_t>(visited));
  }
  steps_ += static_cast<std::int64_t>(walk_.size());
  return walk_;
}

bool Walker::visited_enough() const {
  return settings_.min_visits_per_node > 0 && lacking_ == 0;
}

}  // namespace strider
