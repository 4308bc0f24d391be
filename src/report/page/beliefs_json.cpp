#include "report/page/beliefs_json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "report/page/base64.h"
#include "report/page/beliefs.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::size_t kPlayed = 3;  // walks of the sample
// Walks that the model goes itself.
constexpr std::int64_t kSampledWalks = 32, kSampledLength = 64;
constexpr std::uint64_t kSampleSeed = 42;

Json played_json(const PlayedWalk& walk) {
  return {{"nodes", base64_of<std::uint16_t>(walk.nodes)},
          {"likely", base64_of<std::uint16_t>(walk.likely)},
          {"probabilities", base64_of<std::uint16_t>(walk.probabilities)},
          {"losses", base64_of<float>(walk.losses)}};
}

}  // namespace

Json validity_json(const WalkValidity& validity, bool knows_rule) {
  const auto share = [](std::int64_t part, std::int64_t whole) {
    return whole == 0 ? Json() : Json(static_cast<double>(part) / static_cast<double>(whole));
  };
  return {{"walks", validity.walks},
          {"steps", validity.steps},
          {"on_edges", share(validity.on_edges, validity.steps)},
          {"allowed", knows_rule ? share(validity.allowed, validity.steps) : Json()},
          {"valid_walks", share(validity.valid_walks, validity.walks)}};
}

Json moves_json(const ModelOnWalksSource& source, const Graph& graph) {
  ModelOnWalks model(source, graph);
  Beliefs beliefs(graph, model.window());
  std::int64_t walks = 0;
  model.for_each_walk(
      [&](WalkView walk, std::span<const float> logits) { walks += beliefs.add(walk, logits) ? 1 : 0; });
  const auto sampled = model.sample_walks(kSampledWalks, kSampledLength, kSampleSeed);
  return {{"model", source.model.string()},
          {"dataset", source.dataset.string()},
          {"split", model.split()},
          {"walks", walks},
          {"predictions", beliefs.predictions()},
          {"loss", beliefs.mean_loss()},
          {"on_neighbours", beliefs.mean_on_neighbours()},
          {"on_allowed", model.window() ? Json(beliefs.mean_on_allowed()) : Json()},
          {"sampled", validity_json(validity_of(graph, model.window(), sampled), model.window().has_value())}};
}

Json beliefs_json(const BeliefSource& source, const Graph& graph, Missing& missing) {
  ModelOnWalks model(source, graph);
  const std::optional<std::int64_t> window = model.window();
  if (!window)
    missing.add("Probability on neighbours that the rule allows: the dataset does not say how its walks were made.");
  Beliefs beliefs(graph, window);
  Json played = Json::array();
  std::int64_t counted = 0;
  model.for_each_walk([&](WalkView walk, std::span<const float> logits) {
    if (!beliefs.add(walk, logits)) return;
    if (played.size() < kPlayed) played.push_back(played_json(*beliefs.play(walk, logits)));
    ++counted;
  });
  if (counted == 0)
    throw Error("The walks are none on this graph", {.file = source.dataset.string(), .place = {}, .advice = {}});
  const auto sampled = model.sample_walks(kSampledWalks, kSampledLength, kSampleSeed);
  const std::vector<float> allowed = beliefs.on_allowed();
  return {{"walks", counted},
          {"predictions", beliefs.predictions()},
          {"split", model.split()},
          {"window", window ? Json(*window) : Json()},
          {"neighbours", base64_of<float>(beliefs.on_neighbours())},
          {"allowed", allowed.empty() ? Json() : Json(base64_of<float>(allowed))},
          {"losses", base64_of<float>(beliefs.losses())},
          {"node_losses", base64_of<float>(beliefs.node_losses())},
          {"sampled", validity_json(validity_of(graph, window, sampled), window.has_value())},
          {"likely", Beliefs::kLikely},
          {"played", played}};
}

}  // namespace strider
