#pragma once
// The model of a run on a sample of its validation walks, as the page's data.
#include <nlohmann/json_fwd.hpp>

#include "graph/graph.h"
#include "report/page/missing.h"
#include "report/page/model_on_walks.h"

namespace strider {

using BeliefSource = ModelOnWalksSource;

/// The "moves" of strider measure: {"model", "dataset", "split", "walks", "predictions"; "loss": nats per prediction;
/// "on_neighbours", "on_allowed": mean probability on neighbours, and on those that the rule allows, null where it is
/// not known; "sampled": {"walks", "steps", "on_edges", "allowed", "valid_walks"}, of 32 walks of 64 nodes that the
/// model goes itself, the last three as shares}. Throws Error as ModelOnWalks.
nlohmann::ordered_json moves_json(const ModelOnWalksSource& source, const Graph& graph);

/// {"walks", "predictions", "split", "window": of the rule, or null; "neighbours", "allowed", "losses": float32 by
/// position (beliefs.h); "node_losses": float32 by node; "sampled": as above; "likely": how many nodes a step lists;
/// "played": walks with "nodes", "likely", "probabilities", "losses"}. The sample are the first walks of the split, of
/// about 20,000 tokens. What is missing is named; throws Error where a model or dataset cannot be read, or its logits
/// take too much memory.
nlohmann::ordered_json beliefs_json(const BeliefSource& source, const Graph& graph, Missing& missing);

}  // namespace strider
