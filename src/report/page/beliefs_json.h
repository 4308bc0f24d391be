#pragma once
// The model of a run on a sample of its validation walks, as the page's data.
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "graph/graph.h"
#include "report/page/missing.h"

namespace strider {

struct BeliefSource {
  std::filesystem::path model, dataset;  // folders
  int threads = 1;
};

/// {"walks", "predictions", "split", "window": of the rule, or null; "neighbours", "allowed", "losses": float32 by
/// position (beliefs.h); "node_losses": float32 by node; "likely": how many nodes a step lists; "played": walks with
/// "nodes", "likely", "probabilities", "losses"}. The sample are the first walks of the split, of about 20,000 tokens.
/// What is missing is named; throws Error where a model or dataset cannot be read, or its logits take too much memory.
nlohmann::ordered_json beliefs_json(const BeliefSource& source, const Graph& graph, Missing& missing);

}  // namespace strider
