#pragma once
// Random walks on a graph, the same ones for the same seed as LLM-Topo's stage 01b makes with numpy's Generator.
// A walk starts (START) at node i with probability proportional to
//   visits       (max(0, mean visits - visits of i) + 1e-8) ^ (1 / temperature), drawn as LLM-Topo draws it, which
//   passes
//                over all nodes for each walk
//   visits-tree  the same, drawn otherwise: first among numbers of visits, kept in a tree with the nodes that have
//   each,
//                then among these; for a graph of n nodes a walk costs as many operations as there are such numbers
//   uniform      1
//   degree       the number of its neighbours, or the sum of its edges' weights
// (with all but the first, steps are drawn otherwise too, with the same probabilities)
// and steps to a neighbour, uniformly among those that are not one of its last no_repeat_window nodes (the current one
// included), among all of them where none is left; on a graph with weights in proportion to those of the edges. Before
// each step it restarts, by the rule of the start, with
// probability restart_prob; a node without neighbours does so too. Visits are those of the walks before.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/notices.h"
#include "base/random/pcg64.h"
#include "graph/alias_tables.h"
#include "graph/graph.h"
#include "graph/visit_levels.h"
#include "graph/walk_rule.h"

namespace strider {

/// Throws Error that names the setting and what it may be.
void check_walk_settings(const WalkSettings& settings);

/// Makes one walk after the other.
class Walker {
 public:
  /// Keeps a reference to `graph`, which has a node. Throws Error as check_walk_settings.
  Walker(const Graph& graph, const WalkSettings& settings);

  /// The node indices of the next walk; they stay until the next call. Throws Error when the temperature leaves no
  /// number to draw a start with.
  std::span<const std::int32_t> next();

  /// Whether every node has been visited min_visits_per_node times.
  bool visited_enough() const;

  std::int64_t steps() const { return steps_; }               // nodes of all walks so far
  std::span<const double> visits() const { return visits_; }  // whole numbers, of each node
  /// Steps so far that follow no edge: from nodes without a neighbour, and restarts.
  std::int64_t dead_end_jumps() const { return dead_end_jumps_; }
  std::int64_t restart_jumps() const { return restart_jumps_; }

 private:
  void weigh_by_degree();
  void weigh_starts();
  std::int32_t start();
  std::int32_t draw_neighbour(std::size_t node);
  std::int32_t rejecting_step_from(std::size_t node);
  std::int32_t step_from(std::int32_t node);
  std::int32_t restart_from(std::int32_t node);

  const Graph& graph_;
  WalkSettings settings_;
  NumpyGenerator generator_;
  std::vector<double> visits_;
  std::size_t lacking_;                 // nodes with fewer visits than min_visits_per_node
  std::vector<double> weights_;         // of each node as a start
  std::vector<double> cumulative_;      // their shares, added up
  std::optional<VisitLevels> levels_;   // of visits-tree
  std::optional<AliasTables> aliases_;  // of a graph with weights
  std::vector<std::int64_t> seen_;      // of each node: the clock when a walk was last there
  std::vector<std::int32_t> free_;      // neighbours that may be stepped to
  std::vector<std::int32_t> walk_;
  std::int64_t clock_ = 0;
  std::int64_t steps_ = 0;
  std::int64_t dead_end_jumps_ = 0;
  std::int64_t restart_jumps_ = 0;
};

struct WalkFiles {
  std::filesystem::path walks;   // CSV: walk_id,length,sequence_labels; lines end in CR LF
  std::filesystem::path counts;  // CSV: node_id,visit_count,visit_fraction; lines end in LF
};

struct WalkSummary {
  std::int64_t walks = 0;
  std::int64_t steps = 0;           // nodes of all walks
  std::int64_t transitions = 0;     // from one node of a walk to the next
  std::int64_t dead_end_jumps = 0;  // transitions that follow no edge: from nodes without a neighbour,
  std::int64_t restart_jumps = 0;   // and restarts that do not happen to end at a neighbour
  std::int64_t least_visits = 0;
  std::int64_t most_visits = 0;
  double mean_visits = 0.0;
  bool visited_enough = false;  // it stopped for min_visits_per_node
  std::uint64_t walks_bytes = 0;
  Notices notices;  // what the filesystem could not do for the files
};

/// Makes walks and writes both files and the rule beside the walks (walk_rule_file). Each appears whole. `names` are
/// those of the nodes, kept in the rule; empty: they have none. `progress` is called now and then with the number of
/// walks so far. Throws Error as Walker and AtomicFile, or when two files are one.
WalkSummary write_walks(const Graph& graph, const std::string& graph_name, const std::vector<std::string>& names,
                        const WalkSettings& settings, const WalkFiles& files,
                        const std::function<void(std::int64_t)>& progress);

}  // namespace strider
