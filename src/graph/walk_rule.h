#pragma once
// How walks were made, and on which graph: kept in a JSON file beside them, so that what uses the walks can say how
// well they can be predicted. The file, walk_rule_{name}.json, is one object:
//   version              1
//   graph                its name, "torus_30x40"
//   no_repeat_window, restart_prob, temperature, seed, max_length, max_seqs, min_visits_per_node
//                        the settings of the walks
//   start                how starts were drawn: "visits-tree", "uniform" or "degree"; absent: "visits"
//   walks                {"count", "bytes"}: of the CSV file that they are in
//   labels, neighbours   the graph itself, so that the file stays true wherever it is moved: the token id of each node,
//   weights              of the edge to each neighbour, where the graph has weights
//   names                of each node, where nodes have names
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace strider {

/// How the start of a walk is drawn (walks.h). Walks of different ones are other walks.
enum class StartRule { kVisits, kVisitsTree, kUniform, kDegree };
const char* name_of(StartRule start);

struct WalkSettings {
  std::int64_t max_length = 128;                      // nodes of a walk
  std::int64_t max_seqs = 120000;                     // walks
  std::int64_t min_visits_per_node = 10'000'000'000;  // stop once every node has so many; 0: never
  std::int64_t no_repeat_window = 32;                 // nodes, the current one included; 0: no such rule
  double restart_prob = 0.0;
  double temperature = 1.0;
  std::uint64_t seed = 42;
  StartRule start = StartRule::kVisits;
};

struct WalkRule {
  std::string graph_name;
  WalkSettings settings;
  std::int64_t walks = 0;         // in the CSV file
  std::uint64_t walks_bytes = 0;  // of the CSV file
};

struct RuledGraph {
  WalkRule rule;
  Graph graph;
  std::vector<std::string> names = {};  // of each node; empty: they have none
};

/// The file of the rule of a walks file: walks_{name}.csv has walk_rule_{name}.json beside it, any other {stem}.csv
/// has walk_rule_{stem}.json.
std::filesystem::path walk_rule_file(const std::filesystem::path& walks_csv);

/// The rule beside a walks file; nothing when there is none. Throws Error when the file there is broken, or when it
/// belongs to other walks (another number of bytes).
std::optional<RuledGraph> find_walk_rule(const std::filesystem::path& walks_csv);

/// Throws Error when `walks_csv` exists and is not what these settings make on this graph: then it may be all that
/// there is of those walks.
void check_walks_replaceable(const std::filesystem::path& walks_csv, const Graph& graph,
                             const std::vector<std::string>& names, const WalkSettings& settings);

/// Throws Error that names the field: not there, not JSON, another version, a graph that is none.
RuledGraph read_walk_rule(const std::filesystem::path& file);
void write_walk_rule(const std::filesystem::path& file, const WalkRule& rule, const Graph& graph,
                     const std::vector<std::string>& names = {});

/// The rule alone, as JSON text: the object above without the graph.
std::string walk_rule_json(const WalkRule& rule);

}  // namespace strider
