#include "report/page/beliefs_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/machine.h"
#include "data/walk_dataset.h"
#include "engine/engine.h"
#include "io/json.h"
#include "model/folder.h"
#include "report/page/base64.h"
#include "report/page/beliefs.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::int64_t kTokens = 20'000;     // of the sample
constexpr std::int64_t kLongest = 512;       // tokens of a walk that are looked at
constexpr std::int64_t kLogits = 4'000'000;  // of one call
constexpr std::size_t kPlayed = 3;           // walks

std::optional<std::int64_t> window_of(const fs::path& dataset) {
  const fs::path file = dataset / "vocab_info.json";
  const nlohmann::json info = read_json(file);
  if (!info.is_object() || !info.contains("walk_rule") || !info["walk_rule"].is_object()) return std::nullopt;
  return json_integer(info["walk_rule"], "no_repeat_window", file);
}

struct Sample {
  std::vector<std::vector<std::int32_t>> walks;  // of at least two tokens
  std::int64_t longest = 0;
};

Sample take_walks(const WalkSplit& split, std::int64_t vocabulary) {
  Sample sample;
  const std::int64_t most = std::min(kLongest, kLogits / vocabulary);
  std::int64_t tokens = 0;
  for (std::int64_t walk = 0; walk < split.size() && tokens < kTokens; ++walk) {
    const std::int64_t length = std::min(split.length(walk), most);
    if (length < 2) continue;
    std::vector<std::int32_t> ids(static_cast<std::size_t>(length));
    split.read(walk, ids);
    sample.walks.push_back(std::move(ids));
    sample.longest = std::max(sample.longest, length);
    tokens += length;
  }
  return sample;
}

// Calls use(walk, logits of it) for every walk, a few at a time.
template <typename Use>
void for_each_walk(Engine& engine, const Sample& sample, std::int64_t at_once, const Use& use) {
  const auto vocabulary = static_cast<std::size_t>(engine.config().vocab_size);
  for (std::size_t first = 0; first < sample.walks.size(); first += static_cast<std::size_t>(at_once)) {
    const std::size_t last = std::min(sample.walks.size(), first + static_cast<std::size_t>(at_once));
    const std::vector<WalkView> views(sample.walks.begin() + static_cast<std::ptrdiff_t>(first),
                                      sample.walks.begin() + static_cast<std::ptrdiff_t>(last));
    const std::vector<float> logits = engine.logits(views);
    std::size_t row = 0;
    for (const WalkView& walk : views) {
      use(walk, std::span(logits).subspan(row * vocabulary, walk.size() * vocabulary));
      row += walk.size();
    }
  }
}

Json played_json(const PlayedWalk& walk) {
  return {{"nodes", base64_of<std::uint16_t>(walk.nodes)},
          {"likely", base64_of<std::uint16_t>(walk.likely)},
          {"probabilities", base64_of<std::uint16_t>(walk.probabilities)},
          {"losses", base64_of<float>(walk.losses)}};
}

std::unique_ptr<Engine> load_engine(const fs::path& model, const LlamaConfig& config, const EngineSettings& settings) {
  const std::uint64_t bytes = engine_memory_bytes(config, settings) + 2 * kLogits * sizeof(float);
  if (bytes > memory_limit_bytes()) {
    throw Error(
        fmt::format("The model takes {} MB of memory, {} MB are available", bytes >> 20, memory_limit_bytes() >> 20),
        {.file = model.string(), .place = {}, .advice = {}});
  }
  std::unique_ptr<Engine> engine = make_engine(config, settings);
  engine->load_parameters(
      [&](std::span<float> values) { read_weights(model, engine->layout(), values, Head::kNeeded); });
  return engine;
}

}  // namespace

Json beliefs_json(const BeliefSource& source, const Graph& graph, Missing& missing) {
  const LlamaConfig config = read_config(source.model / "config.json");
  const WalkDataset dataset = open_dataset(source.dataset);
  if (dataset.vocab.vocab_size > config.vocab_size) {
    throw Error(fmt::format("The dataset has {} ids and the model {}", dataset.vocab.vocab_size, config.vocab_size),
                {.file = source.dataset.string(), .place = {}, .advice = "--dataset_dir names that of the run."});
  }
  if (std::ranges::any_of(graph.labels, [&](std::int32_t label) { return label >= config.vocab_size; })) {
    throw Error("The graph has nodes that the model has not",
                {.file = source.model.string(), .place = {}, .advice = {}});
  }
  const Sample sample = take_walks(dataset.validation.value_or(dataset.train), config.vocab_size);
  if (sample.walks.empty())
    throw Error("There is no walk with a token to predict",
                {.file = source.dataset.string(), .place = {}, .advice = {}});
  const std::int64_t at_once = std::clamp<std::int64_t>(kLogits / (config.vocab_size * sample.longest), 1, 32);
  const std::unique_ptr<Engine> engine = load_engine(source.model, config,
                                                     {.threads = source.threads,
                                                      .max_length = sample.longest,
                                                      .walks_per_step = at_once,
                                                      .precision = Precision::kFloat32});

  const std::optional<std::int64_t> window = window_of(source.dataset);
  if (!window)
    missing.add("Probability on neighbours that the rule allows: the dataset does not say how its walks were made.");
  Beliefs beliefs(graph, window);
  Json played = Json::array();
  std::int64_t counted = 0;
  for_each_walk(*engine, sample, at_once, [&](const WalkView& walk, std::span<const float> logits) {
    if (!beliefs.add(walk, logits)) return;
    if (played.size() < kPlayed) played.push_back(played_json(*beliefs.play(walk, logits)));
    ++counted;
  });
  if (counted == 0)
    throw Error("The walks are none on this graph", {.file = source.dataset.string(), .place = {}, .advice = {}});
  const std::vector<float> allowed = beliefs.on_allowed();
  return {{"walks", counted},
          {"predictions", beliefs.predictions()},
          {"split", dataset.validation ? "validation" : "training"},
          {"window", window ? Json(*window) : Json()},
          {"neighbours", base64_of<float>(beliefs.on_neighbours())},
          {"allowed", allowed.empty() ? Json() : Json(base64_of<float>(allowed))},
          {"losses", base64_of<float>(beliefs.losses())},
          {"node_losses", base64_of<float>(beliefs.node_losses())},
          {"likely", Beliefs::kLikely},
          {"played", played}};
}

}  // namespace strider
