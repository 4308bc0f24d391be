#include "graph/walk_rule.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <cstddef>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_set>

#include "base/error.h"
#include "base/exists.h"
#include "io/atomic_file.h"
#include "io/json.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kVersion = 1;
constexpr std::size_t kPiece = 1 << 20;
constexpr const char* kAdvice = "Make the walks again, or delete this file: then the best possible loss is not known.";

[[noreturn]] void fail(const std::string& message, const fs::path& file, const std::string& place) {
  throw Error(message, {.file = file.string(), .place = place, .advice = kAdvice});
}

constexpr StartRule kStartRules[] = {StartRule::kVisits, StartRule::kVisitsTree, StartRule::kUniform,
                                     StartRule::kDegree};

nlohmann::ordered_json to_json(const WalkRule& rule) {
  const WalkSettings& settings = rule.settings;
  nlohmann::ordered_json json;
  json["version"] = kVersion;
  json["graph"] = rule.graph_name;
  json["no_repeat_window"] = settings.no_repeat_window;
  json["restart_prob"] = settings.restart_prob;
  json["temperature"] = settings.temperature;
  json["seed"] = settings.seed;
  json["max_length"] = settings.max_length;
  json["max_seqs"] = settings.max_seqs;
  json["min_visits_per_node"] = settings.min_visits_per_node;
  if (settings.start != StartRule::kVisits) json["start"] = name_of(settings.start);
  json["walks"] = {{"count", rule.walks}, {"bytes", rule.walks_bytes}};
  return json;
}

std::int64_t not_negative(const nlohmann::json& object, const std::string& field, const fs::path& file) {
  const std::int64_t value = json_integer(object, field, file);
  if (value < 0) fail(fmt::format("{} is negative: {}", field, value), file, field);
  return value;
}

std::uint64_t seed_of(const nlohmann::json& json, const fs::path& file) {
  const auto seed = json.find("seed");
  if (seed == json.end() || !seed->is_number_unsigned()) fail("seed is no integer from 0 on", file, "seed");
  return seed->get<std::uint64_t>();
}

const nlohmann::json& list_of(const nlohmann::json& json, const std::string& field, const fs::path& file) {
  const auto list = json.find(field);
  if (list == json.end() || !list->is_array()) fail(fmt::format("there is no list {}", field), file, field);
  return *list;
}

// An integer of [0, end) in `value`.
std::int32_t index_below(const nlohmann::json& value, std::int64_t end, const fs::path& file,
                         const std::string& place) {
  if (!value.is_number_integer() || value.is_number_float()) fail("this is no integer", file, place);
  const std::int64_t index = value.get<std::int64_t>();
  if (index < 0 || index >= end) fail(fmt::format("{} is not from 0 to {}", index, end - 1), file, place);
  return static_cast<std::int32_t>(index);
}

StartRule start_of(const nlohmann::json& json, const fs::path& file) {
  if (!json.contains("start")) return StartRule::kVisits;
  const std::string name = json_string(json, "start", file);
  for (const StartRule start : kStartRules) {
    if (name == name_of(start)) return start;
  }
  fail(fmt::format("starts by \"{}\" are not known here", name), file, "start");
}

// A list for each node, as long as its neighbours.
void read_weights(const nlohmann::json& json, const fs::path& file, Graph& graph) {
  if (!json.contains("weights")) return;
  const nlohmann::json& lists = list_of(json, "weights", file);
  if (lists.size() != graph.size()) fail("there is not a list of weights for each node", file, "weights");
  for (std::size_t node = 0; node < lists.size(); ++node) {
    const std::string place = fmt::format("weights[{}]", node);
    if (!lists[node].is_array() || lists[node].size() != graph.neighbours_of(node).size()) {
      fail("these weights do not go with the node's neighbours", file, place);
    }
    for (const nlohmann::json& value : lists[node]) {
      const double weight = value.is_number() ? value.get<double>() : 0.0;
      if (!(weight > 0.0) || std::isinf(weight)) fail("a weight is no number above 0", file, place);
      graph.weights.push_back(weight);
    }
  }
}

std::vector<std::string> names_of(const nlohmann::json& json, const fs::path& file, const Graph& graph) {
  std::vector<std::string> names;
  if (!json.contains("names")) return names;
  for (const nlohmann::json& name : list_of(json, "names", file)) {
    if (!name.is_string()) fail("a name is no text", file, fmt::format("names[{}]", names.size()));
    names.push_back(name.get<std::string>());
  }
  if (names.size() != graph.size()) fail("there is not a name for each node", file, "names");
  return names;
}

Graph graph_of(const nlohmann::json& json, const fs::path& file) {
  constexpr std::int64_t kLabels = (1LL << 31) - 1;
  const nlohmann::json& labels = list_of(json, "labels", file);
  const nlohmann::json& neighbours = list_of(json, "neighbours", file);
  if (labels.empty() || labels.size() != neighbours.size()) {
    fail(fmt::format("{} labels do not go with {} lists of neighbours", labels.size(), neighbours.size()), file,
         "labels");
  }
  Graph graph;
  graph.offsets.push_back(0);
  std::unordered_set<std::int32_t> known;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::int32_t label = index_below(labels[i], kLabels, file, fmt::format("labels[{}]", i));
    if (!known.insert(label).second) fail("this label is here twice", file, fmt::format("labels[{}]", i));
    graph.labels.push_back(label);
    const std::string place = fmt::format("neighbours[{}]", i);
    if (!neighbours[i].is_array()) fail("this is no list of neighbours", file, place);
    std::int32_t before = -1;
    for (const nlohmann::json& value : neighbours[i]) {
      const std::int32_t next = index_below(value, static_cast<std::int64_t>(labels.size()), file, place);
      if (next <= before) fail("these neighbours do not ascend", file, place);
      graph.neighbours.push_back(next);
      before = next;
    }
    graph.offsets.push_back(graph.neighbours.size());
  }
  return graph;
}

}  // namespace

const char* name_of(StartRule start) {
  switch (start) {
    case StartRule::kVisits:
      return "visits";
    case StartRule::kVisitsTree:
      return "visits-tree";
    case StartRule::kUniform:
      return "uniform";
    case StartRule::kDegree:
      return "degree";
  }
  return "";
}

fs::path walk_rule_file(const fs::path& walks_csv) {
  constexpr std::string_view kWalks = "walks_";
  std::string name = walks_csv.stem().string();
  if (name.starts_with(kWalks)) name.erase(0, kWalks.size());
  return walks_csv.parent_path() / fmt::format("walk_rule_{}.json", name);
}

std::optional<RuledGraph> find_walk_rule(const fs::path& walks_csv) {
  const fs::path file = walk_rule_file(walks_csv);
  if (!path_exists(file)) return std::nullopt;
  RuledGraph ruled = read_walk_rule(file);
  std::error_code status;
  const std::uintmax_t bytes = fs::file_size(walks_csv, status);
  if (status) {
    throw system_error("Cannot look at the walks", status.value(),
                       {.file = walks_csv.string(), .place = {}, .advice = {}});
  }
  if (bytes != ruled.rule.walks_bytes) {
    fail(fmt::format("This rule belongs to walks of {} bytes, but {} has {}", ruled.rule.walks_bytes,
                     walks_csv.string(), bytes),
         file, "walks");
  }
  return ruled;
}

namespace {

// The names of the settings that differ, with both values.
std::string differences(const RuledGraph& earlier, const Graph& graph, const std::vector<std::string>& names,
                        const WalkSettings& now) {
  const WalkSettings& then = earlier.rule.settings;
  std::string text;
  const auto compare = [&](const char* name, auto before, auto value) {
    if (before != value) text += fmt::format("{}{} was {}, now {}", text.empty() ? "" : "; ", name, before, value);
  };
  compare("MAX_LENGTH", then.max_length, now.max_length);
  compare("MAX_SEQS", then.max_seqs, now.max_seqs);
  compare("MIN_VISITS_PER_NODE", then.min_visits_per_node, now.min_visits_per_node);
  compare("NO_REPEAT_WINDOW", then.no_repeat_window, now.no_repeat_window);
  compare("RESTART_PROB", then.restart_prob, now.restart_prob);
  compare("TEMPERATURE", then.temperature, now.temperature);
  compare("SEED", then.seed, now.seed);
  compare("START", std::string(name_of(then.start)), std::string(name_of(now.start)));
  const bool same_graph = earlier.graph.labels == graph.labels && earlier.graph.offsets == graph.offsets &&
                          earlier.graph.neighbours == graph.neighbours && earlier.graph.weights == graph.weights &&
                          earlier.names == names;
  if (!same_graph) text += fmt::format("{}the graph is another", text.empty() ? "" : "; ");
  return text;
}

}  // namespace

void check_walks_replaceable(const fs::path& walks_csv, const Graph& graph, const std::vector<std::string>& names,
                             const WalkSettings& settings) {
  if (!path_exists(walks_csv)) return;
  const auto refuse = [&](const std::string& why) {
    throw Error(fmt::format("there are other walks already: {}", why),
                {.file = walks_csv.string(),
                 .place = {},
                 .advice = "OVERWRITE=true (--overwrite) replaces them, OUT (--out) names another file."});
  };
  std::optional<RuledGraph> earlier;
  try {
    earlier = find_walk_rule(walks_csv);
  } catch (const Error& error) {
    refuse(error.message());
  }
  if (!earlier) refuse("how they were made is not known");
  const std::string differing = differences(*earlier, graph, names, settings);
  if (!differing.empty()) refuse(differing);
}

RuledGraph read_walk_rule(const fs::path& file) {
  const nlohmann::json json = read_json(file);
  if (!json.is_object()) fail("This is not the rule of walks", file, {});
  const std::int64_t version = json_integer(json, "version", file);
  if (version != kVersion) fail(fmt::format("Rules of version {} are not known here", version), file, "version");
  RuledGraph ruled;
  WalkSettings& settings = ruled.rule.settings;
  ruled.rule.graph_name = json_string(json, "graph", file);
  settings.no_repeat_window = not_negative(json, "no_repeat_window", file);
  settings.restart_prob = json_number(json, "restart_prob", file);
  settings.temperature = json_number(json, "temperature", file);
  settings.seed = seed_of(json, file);
  settings.max_length = not_negative(json, "max_length", file);
  settings.max_seqs = not_negative(json, "max_seqs", file);
  settings.min_visits_per_node = not_negative(json, "min_visits_per_node", file);
  const auto walks = json.find("walks");
  if (walks == json.end() || !walks->is_object()) fail("there is no object walks", file, "walks");
  ruled.rule.walks = not_negative(*walks, "count", file);
  ruled.rule.walks_bytes = static_cast<std::uint64_t>(not_negative(*walks, "bytes", file));
  settings.start = start_of(json, file);
  ruled.graph = graph_of(json, file);
  read_weights(json, file, ruled.graph);
  ruled.names = names_of(json, file, ruled.graph);
  return ruled;
}

// Written piece by piece: as one object in memory a graph of a million nodes would take gigabytes.
void write_walk_rule(const fs::path& file, const WalkRule& rule, const Graph& graph,
                     const std::vector<std::string>& names) {
  AtomicFile out(file);
  std::string text = to_json(rule).dump();
  text.pop_back();  // the closing bracket
  text += ",\"labels\":[";
  const auto flush = [&] {
    out.write(text);
    text.clear();
  };
  for (std::size_t node = 0; node < graph.size(); ++node) {
    fmt::format_to(std::back_inserter(text), "{}{}", node == 0 ? "" : ",", graph.labels[node]);
    if (text.size() > kPiece) flush();
  }
  const auto lists = [&](const char* field, const auto& list_of_node) {
    text += fmt::format("],\"{}\":[", field);
    for (std::size_t node = 0; node < graph.size(); ++node) {
      fmt::format_to(std::back_inserter(text), "{}[{}]", node == 0 ? "" : ",", fmt::join(list_of_node(node), ","));
      if (text.size() > kPiece) flush();
    }
  };
  lists("neighbours", [&](std::size_t node) { return graph.neighbours_of(node); });
  if (graph.is_weighted()) lists("weights", [&](std::size_t node) { return graph.weights_of(node); });
  if (!names.empty()) {
    text += "],\"names\":[";
    for (std::size_t node = 0; node < names.size(); ++node) {
      fmt::format_to(std::back_inserter(text), "{}{}", node == 0 ? "" : ",", nlohmann::json(names[node]).dump());
      if (text.size() > kPiece) flush();
    }
  }
  text += "]}\n";
  flush();
  out.commit();
}

std::string walk_rule_json(const WalkRule& rule) {
  return to_json(rule).dump();
}

}  // namespace strider
