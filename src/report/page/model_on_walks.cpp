#include "report/page/model_on_walks.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/error.h"
#include "base/machine.h"
#include "base/random/pcg64.h"
#include "data/walk_dataset.h"
#include "io/json.h"
#include "model/folder.h"
#include "report/page/beliefs.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kTokens = 20'000;     // of the sample
constexpr std::int64_t kLongest = 512;       // tokens of a walk that are looked at
constexpr std::int64_t kLogits = 4'000'000;  // of one call

std::optional<std::int64_t> window_of(const fs::path& dataset) {
  const fs::path file = dataset / "vocab_info.json";
  const nlohmann::json info = read_json(file);
  if (!info.is_object() || !info.contains("walk_rule") || !info["walk_rule"].is_object()) return std::nullopt;
  return json_integer(info["walk_rule"], "no_repeat_window", file);
}

std::vector<std::vector<std::int32_t>> take_walks(const WalkSplit& split, std::int64_t vocabulary) {
  std::vector<std::vector<std::int32_t>> walks;
  const std::int64_t most = std::min(kLongest, kLogits / vocabulary);
  std::int64_t tokens = 0;
  for (std::int64_t walk = 0; walk < split.size() && tokens < kTokens; ++walk) {
    const std::int64_t length = std::min(split.length(walk), most);
    if (length < 2) continue;
    std::vector<std::int32_t>& ids = walks.emplace_back(static_cast<std::size_t>(length));
    split.read(walk, ids);
    tokens += length;
  }
  return walks;
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

ModelOnWalks::ModelOnWalks(const ModelOnWalksSource& source, const Graph& graph) : graph_(graph) {
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
  walks_ = take_walks(dataset.validation ? *dataset.validation : dataset.train, config.vocab_size);
  if (walks_.empty())
    throw Error("There is no walk with a token to predict",
                {.file = source.dataset.string(), .place = {}, .advice = {}});
  for (const auto& walk : walks_) longest_ = std::max<std::int64_t>(longest_, std::ssize(walk));
  split_ = dataset.validation ? "validation" : "training";
  window_ = window_of(source.dataset);
  at_once_ = std::clamp<std::int64_t>(kLogits / (config.vocab_size * longest_), 1, 32);
  engine_ = load_engine(source.model, config,
                        {.threads = source.threads,
                         .max_length = longest_,
                         .walks_per_step = at_once_,
                         .precision = Precision::kFloat32,
                         .groups = {}});
}

void ModelOnWalks::for_each_walk(const std::function<void(WalkView walk, std::span<const float> logits)>& use) {
  const auto vocabulary = static_cast<std::size_t>(engine_->config().vocab_size);
  for (std::size_t first = 0; first < walks_.size(); first += static_cast<std::size_t>(at_once_)) {
    const std::size_t last = std::min(walks_.size(), first + static_cast<std::size_t>(at_once_));
    const std::vector<WalkView> views(walks_.begin() + static_cast<std::ptrdiff_t>(first),
                                      walks_.begin() + static_cast<std::ptrdiff_t>(last));
    const std::vector<float> logits = engine_->logits(views);
    std::size_t row = 0;
    for (const WalkView& walk : views) {
      use(walk, std::span(logits).subspan(row * vocabulary, walk.size() * vocabulary));
      row += walk.size();
    }
  }
}

std::vector<std::vector<std::int32_t>> ModelOnWalks::sample_walks(std::int64_t count, std::int64_t length,
                                                                  std::uint64_t seed) {
  NumpyGenerator generator(seed);
  const auto vocabulary = static_cast<std::size_t>(engine_->config().vocab_size);
  std::vector<std::vector<std::int32_t>> walks(static_cast<std::size_t>(count));
  for (auto& walk : walks) walk = {graph_.labels[generator.integer(static_cast<std::uint32_t>(graph_.size()))]};
  std::vector<double> probability;
  for (std::int64_t grown = 1; grown < std::min(length, longest_); ++grown) {
    for (std::size_t first = 0; first < walks.size(); first += static_cast<std::size_t>(at_once_)) {
      const std::size_t last = std::min(walks.size(), first + static_cast<std::size_t>(at_once_));
      const std::vector<WalkView> views(walks.begin() + static_cast<std::ptrdiff_t>(first),
                                        walks.begin() + static_cast<std::ptrdiff_t>(last));
      const std::vector<float> logits = engine_->logits(views);
      for (std::size_t i = first; i < last; ++i) {
        const std::size_t row = (i - first + 1) * static_cast<std::size_t>(grown) - 1;  // after the walk's last node
        softmax(std::span(logits).subspan(row * vocabulary, vocabulary), probability);
        double left = generator.random();
        std::size_t id = 0;
        while (id + 1 < vocabulary && (left -= probability[id]) >= 0.0) ++id;
        walks[i].push_back(static_cast<std::int32_t>(id));
      }
    }
  }
  return walks;
}

WalkValidity validity_of(const Graph& graph, std::optional<std::int64_t> window,
                         std::span<const std::vector<std::int32_t>> walks) {
  std::unordered_map<std::int32_t, std::int32_t> node_of;
  for (std::size_t node = 0; node < graph.size(); ++node) {
    node_of.emplace(graph.labels[node], static_cast<std::int32_t>(node));
  }
  WalkValidity validity;
  for (const std::vector<std::int32_t>& walk : walks) {
    std::vector<std::int32_t> nodes;
    for (const std::int32_t id : walk) nodes.push_back(node_of.contains(id) ? node_of[id] : -1);
    bool is_valid = true;
    for (std::size_t p = 0; p + 1 < nodes.size(); ++p) {
      ++validity.steps;
      const auto near =
          nodes[p] < 0 ? std::span<const std::int32_t>() : graph.neighbours_of(static_cast<std::size_t>(nodes[p]));
      const bool on_edge = std::ranges::find(near, nodes[p + 1]) != near.end();
      validity.on_edges += on_edge ? 1 : 0;
      if (!window) {
        is_valid = is_valid && on_edge;
        continue;
      }
      const auto size = static_cast<std::size_t>(*window);
      const std::size_t first = p + 1 > size ? p + 1 - size : 0;
      const std::span<const std::int32_t> recent(nodes.data() + first, p + 1 - first);
      const auto is_recent = [&](std::int32_t node) { return std::ranges::find(recent, node) != recent.end(); };
      const bool is_allowed = on_edge && (!is_recent(nodes[p + 1]) || std::ranges::all_of(near, is_recent));
      validity.allowed += is_allowed ? 1 : 0;
      is_valid = is_valid && is_allowed;
    }
    ++validity.walks;
    validity.valid_walks += is_valid ? 1 : 0;
  }
  return validity;
}

}  // namespace strider
