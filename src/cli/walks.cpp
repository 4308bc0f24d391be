// strider walks: random walks on a graph, as text.
#include "graph/walks.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "cli/setting_options.h"
#include "cli/terminal.h"
#include "graph/graph_facts.h"
#include "graph/sparse_file.h"
#include "graph_import/imported_folder.h"
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

void print_plan(std::FILE* out, const WalksCommand& command) {
  say(out, "{}\nRandom Walk Generation\n{}\n", kRule, kRule);
  say(out, "Graph directory: {}\n", command.graph_dir.string());
  say(out, "Topology: {}\n", command.topology);
  say(out, "Grid size: {}x{}\n", command.height, command.width);
  say(out, "Output: {}\n", command.files.walks.string());
  say(out, "Counts output: {}\n\n", command.files.counts.string());
}

void print_graph(std::FILE* out, const Graph& graph, const GraphFacts& facts) {
  say(out, "Graph loaded: {}\n", graph_size_text(graph, facts));
  if (graph.is_weighted()) say(out, "  Edges have weights, which walks follow.\n");
  for (const std::string& notice : graph_notices(facts)) say(out, "  {}\n", notice);
  say(out, "\n");
}

void print_jumps(std::FILE* out, const WalkSummary& summary) {
  const std::int64_t jumps = summary.dead_end_jumps + summary.restart_jumps;
  say(out, "Jumps: {} of {} steps from node to node follow no edge", jumps, summary.transitions);
  if (jumps > 0) {
    say(out, " ({} from nodes without an edge out, {} restarts)", summary.dead_end_jumps, summary.restart_jumps);
  }
  say(out, "\n");
}

void print_end(std::FILE* out, const WalksCommand& command, const WalkSummary& summary, double seconds) {
  if (summary.visited_enough) {
    say(out, "Stopping: all nodes have at least {} visits\n", command.settings.min_visits_per_node);
  }
  say(out, "\n{}\nGeneration complete!\n{}\n", kRule, kRule);
  say(out, "Sequences generated: {}\n", summary.walks);
  say(out, "Total steps: {}\n", summary.steps);
  print_jumps(out, summary);
  say(out, "Visit statistics:\n  Min: {}, Mean: {:.1f}, Max: {}\n", summary.least_visits, summary.mean_visits,
      summary.most_visits);
  say(out, "Seconds: {:.2f}\n", seconds);
  print_notices(out, summary.notices);
  say(out, "Output files:\n  Walks: {}\n  Visit counts: {}\n  Walk rule: {}\n", command.files.walks.string(),
      command.files.counts.string(), walk_rule_file(command.files.walks).string());
}

nlohmann::ordered_json walks_json(const WalksCommand& command, const std::string& name, const Graph& graph,
                                  const GraphFacts& facts, const WalkSummary& summary) {
  return {{"graph",
           {{"name", name},
            {"nodes", graph.size()},
            {"edges", facts.edges},
            {"weighted", graph.is_weighted()},
            {"symmetric", facts.is_symmetric},
            {"one_way_edges", facts.one_way},
            {"self_loops", facts.self_loops},
            {"isolated_nodes", facts.isolated.size()},
            {"sinks", facts.sinks.size()},
            {"sources", facts.sources.size()}}},
          {"walks", summary.walks},
          {"nodes", summary.steps},
          {"transitions", summary.transitions},
          {"dead_end_jumps", summary.dead_end_jumps},
          {"restart_jumps", summary.restart_jumps},
          {"visits", {{"least", summary.least_visits}, {"mean", summary.mean_visits}, {"most", summary.most_visits}}},
          {"visited_enough", summary.visited_enough},
          {"files",
           {{"walks", command.files.walks.string()},
            {"visit_counts", command.files.counts.string()},
            {"walk_rule", walk_rule_file(command.files.walks).string()}}},
          {"notices", summary.notices.texts()}};
}

void run_walks(WalksCommand command, bool as_json) {
  const std::string name = fmt::format("{}_{}x{}", command.topology, command.height, command.width);
  if (command.files.walks.empty()) command.files.walks = fmt::format("sequences/walks_{}.csv", name);
  if (command.files.counts.empty()) {
    command.files.counts = command.files.walks.parent_path() / fmt::format("visit_counts_{}.csv", name);
  }
  check_walk_settings(command.settings);
  std::FILE* const out = as_json ? nullptr : stdout;
  print_plan(out, command);
  say(out, "Loading graph representation...\n");
  show_now(out);
  const Graph graph = read_named_graph(command.graph_dir, name);
  const std::vector<std::string> names = read_graph_names(command.graph_dir, name, graph.size());
  const GraphFacts facts = graph_facts(graph);
  print_graph(out, graph, facts);
  if (!command.overwrite) check_walks_replaceable(command.files.walks, graph, names, command.settings);
  show_now(out);

  const auto begin = Clock::now();
  const bool shown = can_redraw(STDERR_FILENO);
  const WalkSummary summary = write_walks(graph, name, names, command.settings, command.files, [&](std::int64_t walks) {
    if (shown) say(stderr, "\rGenerating walks: {} of at most {}", walks, command.settings.max_seqs);
  });
  if (shown) say(stderr, "\r\033[K");
  if (as_json) {
    say("{}\n", walks_json(command, name, graph, facts, summary).dump(2));
  } else {
    print_end(out, command, summary, seconds_since(begin));
  }
}

std::vector<Setting<WalksCommand>> graph_table() {
  using namespace settings;
  using Row = Setting<WalksCommand>;
  return {
      Row("graph_dir", "GRAPH_DIR", folder(&WalksCommand::graph_dir), any_value(),
          "Folder with graph_{topology}_{H}x{W}.npz or A_{topology}_{H}x{W}_labeled.csv"),
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
      Row("start", "START",
          choice(&S::start, {{"visits", StartRule::kVisits},
                             {"visits-tree", StartRule::kVisitsTree},
                             {"uniform", StartRule::kUniform},
                             {"degree", StartRule::kDegree}}),
          any_value(),
          "Where walks start: visits (nodes with few visits, as LLM-Topo draws them); for large graphs visits-tree "
          "(the "
          "same, other draws), uniform, or degree"),
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
      "A graph of your own: strider graph --from reads the usual kinds of files. Or put its adjacency matrix\n"
      "(labels, integers from 0, in the first line and the first column, 0 or 1 elsewhere) into\n"
      "A_{topology}_{H}x{W}_labeled.csv, with any topology, H and W.\n"
      "Beside the walks goes walk_rule_{topology}_{H}x{W}.json, from which the best possible loss is computed.\n\n"
      "Example: strider walks --graph_dir results/torus_30x40/graph --topology torus --H 30 --W 40 \\\n"
      "           --out results/torus_30x40/sequences/walks_torus_30x40.csv");
  auto as_json = std::make_shared<bool>(false);
  command->add_flag("--json", *as_json, "Print what was made as JSON, and nothing else");
  command->callback([walks, as_json] { run_walks(*walks, *as_json); });
}

}  // namespace strider::cli
