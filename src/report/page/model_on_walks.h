#pragma once
// A trained model on walks: its logits on a sample of the validation walks, and walks sampled from the model itself.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "graph/graph.h"

namespace strider {

struct ModelOnWalksSource {
  std::filesystem::path model, dataset;  // folders
  int threads = 1;
};

class ModelOnWalks {
 public:
  /// The sample are the first walks of the validation split (of the training split where there is none) that have a
  /// token to predict, of about 20,000 tokens in all. Throws Error where a model or dataset cannot be read, a node of
  /// the graph is no token of the model, there is no such walk, or the memory is too small.
  ModelOnWalks(const ModelOnWalksSource& source, const Graph& graph);

  /// "validation" or "training".
  const std::string& split() const { return split_; }
  /// The rule's no_repeat_window; nothing where the dataset does not say how its walks were made.
  std::optional<std::int64_t> window() const { return window_; }

  /// Calls use(walk, logits) for every walk of the sample; logits are [ids, vocabulary].
  void for_each_walk(const std::function<void(WalkView walk, std::span<const float> logits)>& use);

  /// `count` walks of `length` token ids: each begins at a node of the graph, drawn uniformly, and goes on as the
  /// model's probabilities say. The same ones for the same seed, for any number of threads. `length` is cut to that of
  /// the sample's longest walk.
  std::vector<std::vector<std::int32_t>> sample_walks(std::int64_t count, std::int64_t length, std::uint64_t seed);

 private:
  const Graph& graph_;
  std::vector<std::vector<std::int32_t>> walks_;
  std::int64_t longest_ = 0;
  std::int64_t at_once_ = 1;  // walks of one call of the engine
  std::string split_;
  std::optional<std::int64_t> window_;
  std::unique_ptr<Engine> engine_;
};

/// How far walks keep to a graph and a rule. Steps to what is no node follow no edge.
struct WalkValidity {
  std::int64_t walks = 0, steps = 0;
  std::int64_t on_edges = 0;     // steps that follow an edge
  std::int64_t allowed = 0;      // those that the rule allows as well; 0 where it is not known
  std::int64_t valid_walks = 0;  // of whose steps all are allowed, or, where the rule is not known, follow an edge
};

/// `window` is the rule's no_repeat_window, as in beliefs.h.
WalkValidity validity_of(const Graph& graph, std::optional<std::int64_t> window,
                         std::span<const std::vector<std::int32_t>> walks);

}  // namespace strider
