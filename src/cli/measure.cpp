// strider measure: how much of the graph's geometry is in a model's representations.
#include "geometry/measure.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/machine.h"
#include "base/thread_team.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "cli/setting_options.h"
#include "gpu_measures/gpu_measures.h"
#include "graph/sparse_file.h"
#include "io/atomic_file.h"
#include "report/page/beliefs_json.h"

namespace strider::cli {
namespace {

constexpr const char* kRow = "{:<{}}  {:>10}  {:>10}  {:>9}  {:>7}  {:>6}  {:>9}  {:>9}  {:>8}  {:>8}\n";

std::string figure(const std::optional<double>& value) {
  return value ? fmt::format("{:.3f}", *value) : "-";
}

std::string row(const std::string& name, std::size_t width, const LayerMeasures& m, const std::string& dimension) {
  return fmt::format(kRow, name, width, figure(m.neighbours), figure(m.within_two), figure(m.geodesic_correlation),
                     figure(m.component_correlation), figure(m.rsa), figure(m.dirichlet_ratio),
                     figure(m.laplacian_alignment), figure(m.probe_r2), dimension);
}

void print_table(const GeometryReport& report) {
  const std::string chance = "(by chance)";
  std::size_t width = chance.size();
  for (const MeasuredLayer& layer : report.layers) width = std::max(width, layer.array.name.size());
  say(kRow, "array", width, "neighbours", "within two", "geodesics", "3 comps", "RSA", "Dirichlet", "Laplacian",
      "probe R2", "eff. dim");
  for (const MeasuredLayer& layer : report.layers) {
    const LayerMeasures& measures = layer.measures;
    say("{}", row(layer.array.name, width, measures, fmt::format("{:.1f}", measures.effective_dimension)));
  }
  say("{}\n", row(chance, width, report.chance, "-"));
}

struct MeasureOptions {
  std::filesystem::path model, dataset;  // a model of which it is measured how it moves on the graph
  Device device = Device::kCpu;
};

void print_moves(const nlohmann::ordered_json& moves) {
  const auto percent = [](const nlohmann::ordered_json& share) {
    return share.is_null() ? std::string("-") : fmt::format("{:.2f}%", 100.0 * share.get<double>());
  };
  const nlohmann::ordered_json& sampled = moves["sampled"];
  say("Moves of {}, on {} {} walks:\n", moves["model"].get<std::string>(), moves["walks"].get<std::int64_t>(),
      moves["split"].get<std::string>());
  say("  probability on neighbours {}, on those that the rule allows {}; loss {:.4f}\n",
      percent(moves["on_neighbours"]), percent(moves["on_allowed"]), moves["loss"].get<double>());
  say("  {} walks sampled from it: {} of the steps follow an edge, {} keep to the rule, {} of the walks are valid\n\n",
      sampled["walks"].get<std::int64_t>(), percent(sampled["on_edges"]), percent(sampled["allowed"]),
      percent(sampled["valid_walks"]));
}

void run_measure(MeasureSettings settings, const MeasureOptions& options, bool as_json) {
  if (options.model.empty() != options.dataset.empty()) {
    throw Error("A model's moves are measured on walks: --model_dir and --dataset_dir go together",
                {.file = {}, .place = {}, .advice = "Name both, or neither."});
  }
  if (settings.threads == 0) settings.threads = available_processors();
  MeasuringDevice device;
  settings.pairs = pair_measures_on(options.device, device);
  const GeometryReport report = measure_geometry(settings);
  nlohmann::ordered_json object = nlohmann::ordered_json::parse(geometry_json(report));
  if (!options.model.empty()) {
    object["moves"] = moves_json({.model = options.model, .dataset = options.dataset, .threads = settings.threads},
                                 read_graph(report.graph));
  }
  const std::string json = object.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  if (as_json) {
    say("{}", json);
  } else {
    say("Representations: {}\n", report.representations.string());
    say("Graph: {} ({} nodes, {} edges)\n\n", report.graph.string(), report.nodes, report.edges);
    if (!device.why.empty()) say("{}\n\n", device.why);
    print_table(report);
    for (const MeasuredLayer& layer : report.layers) {
      if (layer.measures.geodesic_pairs == 1.0) continue;
      say("Note: the nearest nodes of {} do not connect the graph: its geodesics are of {:.1f}% of the pairs.\n",
          layer.array.name, 100.0 * layer.measures.geodesic_pairs);
    }
    if (object.contains("moves")) print_moves(object["moves"]);
    print_notices(report.notices);
  }
  const Notices notices = write_file_atomically(report.output, json);
  if (as_json) return;
  print_notices(notices);
  say("Saved: {}\n", report.output.string());
}

std::vector<Setting<MeasureOptions>> options_table() {
  using namespace settings;
  using Row = Setting<MeasureOptions>;
  using O = MeasureOptions;
  return {
      Row("model_dir", "MODEL_DIR", folder(&O::model), any_value(),
          "A model whose moves are measured too, on walks of --dataset_dir"),
      Row("dataset_dir", "DATASET_DIR", folder(&O::dataset), any_value(), "The dataset of that model"),
      Row("device", "DEVICE",
          choice(&O::device, {{"cpu", Device::kCpu}, {"cuda", Device::kCuda}, {"auto", Device::kAuto}}), any_value(),
          "What compares all pairs of nodes: cpu, cuda (one NVIDIA GPU, or an error), or auto (the GPU where there is "
          "one); it pays for graphs of thousands of nodes"),
  };
}

std::vector<Setting<MeasureSettings>> measure_table() {
  using namespace settings;
  using Row = Setting<MeasureSettings>;
  using S = MeasureSettings;
  return {
      Row("graph_dir", "GRAPH_DIR", path(&S::graph), any_value(),
          "The graph: a folder with one, an A_{name}_labeled.csv or a graph_{name}.npz; else the folder graph/ of the "
          "run's data"),
      Row("output", "FILE", path(&S::output), any_value(), "Where the JSON goes; else geometry.json beside the arrays"),
      Row("nearest", "K", number(&S::nearest), between(1, 10'000), "Nearest nodes by cosine that are looked at"),
      Row("threads", "THREADS", number(&S::threads).or_word("all", 0), between(1, kMostThreads), "Threads; or all"),
  };
}

constexpr const char* kColumns =
    "Columns:\n"
    "  neighbours  share of a node's neighbours among its K nearest by cosine (of the K, where it has more)\n"
    "  within two  share of its K nearest that are at most two edges away (of as many as there are)\n"
    "  geodesics   correlation of graph distance with shortest paths over the graph of K nearest nodes\n"
    "  3 comps     correlation of graph distance with distance over the first three principal components\n"
    "  RSA         rank correlation of graph distance and cosine distance\n"
    "  Dirichlet   mean squared distance along an edge, divided by that of any two nodes\n"
    "  Laplacian   overlap of the first principal components with the graph Laplacian's first eigenvectors\n"
    "  probe R2    cross-validated R squared of linear probes for the nodes' coordinates\n"
    "  eff. dim    effective dimension: the participation ratio of the variances\n\n"
    "With a model and its dataset: the share of its probability on moves along edges, and on those that the rule of "
    "the\n"
    "walks allows, and how valid the walks are that are sampled from it.\n\n"
    "Example: strider measure results/torus_30x40/2M_llama/token_representations\n";

}  // namespace

void add_measure_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("measure", "Say how much of the graph is in representations, by layer");
  auto settings = std::make_shared<MeasureSettings>();
  auto options = std::make_shared<MeasureOptions>();
  auto as_json = std::make_shared<bool>(false);
  settings->threads = 0;  // all
  command
      ->add_option("path", settings->representations,
                   "A folder of token representations, the run that it is in, or an .npz file")
      ->required();
  add_settings(*command, measure_table(), *settings);
  add_settings(*command, options_table(), *options);
  command->add_option("--arrays", settings->arrays, "Arrays to measure, by name or type")
      ->expected(1, CLI::detail::expected_max_vector_size)
      ->option_text("NAME ... [all]");
  command->add_flag("--json", *as_json, "Print JSON");
  command->footer(kColumns);
  command->callback([settings, options, as_json] { run_measure(*settings, *options, *as_json); });
}

}  // namespace strider::cli
