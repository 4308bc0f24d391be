// strider walks: random walks on a graph, as text.
#include "graph/walks.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "cli/setting_options.h"
#include "graph/graph_facts.h"
#include "graph/graph_folder.h"
#include "report/screen.h"

namespace strider::cli {
namespace {

struct WalksCommand {
  std::filesystem::path graph_dir = "graph";
  std::string topology;
  std::int64_t height = 0;
  std::int64_t width = 0;
  WalkSettings settings;
  WalkFiles files;
  bool overwrite = false;
};

void print_plan(const WalksCommand& command) {
  say("{}\nRandom Walk Generation\n{}\n", kRule, kRule);
  say("Graph directory: {}\n", command.graph_dir.string());
  say("Topology: {}\n", command.topology);
  say("Grid size: {}x{}\n", command.height, command.width);
  say("Output: {}\n", command.files.walks.string());
  say("Counts output: {}\n\n", command.files.counts.string());
}

void print_graph(const Graph& graph) {
  const GraphFacts facts = graph_facts(graph);
  say("Graph loaded: {}\n", graph_size_text(graph, facts));
  for (const std::string& notice : graph_notices(facts)) say("  {}\n", notice);
  say("\n");
}

void print_jumps(const WalkSummary& summary) {
  const std::int64_t jumps = summary.dead_end_jumps + summary.restart_jumps;
  say("Jumps: {} of {} steps from node to node follow no edge", jumps, summary.transitions);
  if (jumps > 0) {
    say(" ({} from nodes without an edge out, {} restarts)", summary.dead_end_jumps, summary.restart_jumps);
  }
  say("\n");
}

void print_end(const WalksCommand& command, const WalkSummary& summary, double seconds) {
  if (summary.visited_enough) {
    say("Stopping: all nodes have at least {} visits\n", command.settings.min_visits_per_node);
  }
  say("\n{}\nGeneration complete!\n{}\n", kRule, kRule);
  say("Sequences generated: {}\n", summary.walks);
  say("Total steps: {}\n", summary.steps);
  print_jumps(summary);
  say("Visit statistics:\n  Min: {}, Mean: {:.1f}, Max: {}\n", summary.least_visits, summary.mean_visits,
      summary.most_visits);
  say("Seconds: {:.2f}\n", seconds);
  print_notices(summary.notices);
  say("Output files:\n  Walks: {}\n  Visit counts: {}\n  Walk rule: {}\n", command.files.walks.string(),
      command.files.counts.string(), walk_rule_file(command.files.walks).string());
}

void run_walks(WalksCommand command) {
  const std::string name = fmt::format("{}_{}x{}", command.topology, command.height, command.width);
  if (command.files.walks.empty()) command.files.walks = fmt::format("sequences/walks_{}.csv", name);
  if (command.files.counts.empty()) {
    command.files.counts = command.files.walks.parent_path() / fmt::format("visit_counts_{}.csv", name);
  }
  check_walk_settings(command.settings);
  print_plan(command);
  say("Loading graph representation...\n");
  std::fflush(stdout);
  const Graph graph = read_labeled_adjacency(labeled_adjacency_file(command.graph_dir, name));
  print_graph(graph);
  if (!command.overwrite) check_walks_replaceable(command.files.walks, graph, command.settings);
  std::fflush(stdout);

  const auto begin = Clock::now();
  const bool shown = isatty(STDERR_FILENO) != 0;
  const WalkSummary summary = write_walks(graph, name, command.settings, command.files, [&](std::int64_t walks) {
    if (shown) say(stderr, "\rGenerating walks: {} of at most {}", walks, command.settings.max_seqs);
  });
  if (shown) say(stderr, "\r\033[K");
  print_end(command, summary, seconds_since(begin));
}

std::vector<Setting<WalksCommand>> graph_table() {
  using namespace settings;
  using Row = Setting<WalksCommand>;
  return {
      Row("graph_dir", "GRAPH_DIR", path(&WalksCommand::graph_dir), any_value(),
          "Folder with A_{topology}_{H}x{W}_labeled.csv"),
      Row("topology", "TOPOLOGY", text(&WalksCommand::topology), any_value(), "First part of the graph's name")
          .required(),
      Row("H", "H", number(&WalksCommand::height), any_value(), "Second part: rows of the grid").required(),
      Row("W", "W", number(&WalksCommand::width), any_value(), "Third part: columns of the grid").required(),
      Row("overwrite", "OVERWRITE", toggle(&WalksCommand::overwrite), any_value(),
          "Replace walks of other settings, or of unknown origin"),
  };
}

std::vector<Setting<WalkSettings>> walk_table() {
  using namespace settings;
  using Row = Setting<WalkSettings>;
  using S = WalkSettings;
  return {
      Row("max_length", "MAX_LENGTH", number(&S::max_length), any_value(), "Nodes per walk"),
      Row("max_seqs", "MAX_SEQS", number(&S::max_seqs), any_value(), "Walks"),
      Row("min_visits_per_node", "MIN_VISITS_PER_NODE", number(&S::min_visits_per_node), any_value(),
          "Stop once every node has so many visits; 0: never"),
      Row("no_repeat_window", "NO_REPEAT_WINDOW", number(&S::no_repeat_window), any_value(),
          "Step to none of the last so many nodes while another one is left; 0: no such rule"),
      Row("restart_prob", "RESTART_PROB", number(&S::restart_prob), any_value(),
          "Probability to start anew before a step"),
      Row("temperature", "TEMPERATURE", number(&S::temperature), any_value(),
          "How strongly starts prefer nodes with few visits; lower is stronger"),
      Row("seed", "SEED", number(&S::seed), any_value(), "Seed: the same one gives the same bytes"),
  };
}

std::vector<Setting<WalkFiles>> file_table() {
  using namespace settings;
  using Row = Setting<WalkFiles>;
  return {
      Row("out", "OUT", path(&WalkFiles::walks), any_value(), "Walks file [sequences/walks_{topology}_{H}x{W}.csv]"),
      Row("counts_out", "COUNTS_OUT", path(&WalkFiles::counts), any_value(),
          "Visit counts file [visit_counts_{topology}_{H}x{W}.csv beside the walks]"),
  };
}

}  // namespace

void add_walks_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("walks", "Make random walks on a graph");
  auto walks = std::make_shared<WalksCommand>();
  add_settings(*command, graph_table(), *walks);
  add_settings(*command, walk_table(), walks->settings);
  add_settings(*command, file_table(), walks->files);
  command->footer(
      "A graph of your own: put its adjacency matrix (labels, integers from 0, in the first line and the\n"
      "first column, 0 or 1 elsewhere) into A_{topology}_{H}x{W}_labeled.csv, with any topology, H and W.\n"
      "Beside the walks goes walk_rule_{topology}_{H}x{W}.json, from which the best possible loss is computed.\n\n"
      "Example: strider walks --graph_dir results/torus_30x40/graph --topology torus --H 30 --W 40 \\\n"
      "           --out results/torus_30x40/sequences/walks_torus_30x40.csv");
  command->callback([walks] { run_walks(*walks); });
}

}  // namespace strider::cli
