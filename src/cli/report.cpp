// strider report: one page that shows and documents runs.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/machine.h"
#include "base/thread_team.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "cli/setting_options.h"
#include "report/page/page.h"

namespace strider::cli {
namespace {

void run_report(PageSettings settings, bool as_json) {
  if (settings.threads == 0) settings.threads = available_processors();
  const WrittenPage page = write_page(settings);
  if (as_json) {
    const nlohmann::ordered_json written = {{"report", page.file.string()},
                                            {"bytes", page.bytes},
                                            {"not_shown", page.missing},
                                            {"notices", page.notices.texts()}};
    say("{}\n", written.dump(2));
    return;
  }
  for (const std::string& text : page.missing) say("Not shown: {}\n", text);
  print_notices(page.notices);
  say("Report: {} ({:.1f} MB). Any browser opens it, without a network.\n", page.file.string(),
      static_cast<double>(page.bytes) * 1e-6);
}

std::vector<Setting<PageSettings>> report_table() {
  using namespace settings;
  using Row = Setting<PageSettings>;
  using S = PageSettings;
  return {
      Row("output", "FILE", path(&S::output), any_value(),
          "The page; else report.html in the run, of several runs in the current folder"),
      Row("representations", "REPRESENTATION_DIR", path(&S::representations), any_value(),
          "Token representations; else token_representations in the run"),
      Row("graph_dir", "GRAPH_DIR", path(&S::graph), any_value(),
          "The graph: a folder with one, an A_{name}_labeled.csv or a graph_{name}.npz; else the folder graph/ of the "
          "run's data"),
      Row("dataset_dir", "DATASET_DIR", path(&S::dataset), any_value(),
          "The dataset; else where the run says, or the folder dataset/ beside the run"),
      Row("logging_dir", "LOG_DIR", path(&S::log_folder), any_value(), "Folder of metrics.jsonl; else the run"),
      Row("threads", "THREADS", number(&S::threads).or_word("all", 0), between(1, kMostThreads), "Threads; or all"),
  };
}

}  // namespace

void add_report_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("report", "Write one page that shows runs: curves, surface, settings");
  auto settings = std::make_shared<PageSettings>();
  auto as_json = std::make_shared<bool>(false);
  settings->threads = 0;  // all
  command->add_option("runs", settings->runs, "Folders of runs (OUTPUT_DIR); several are drawn over each other")
      ->required()
      ->option_text("RUN ...");
  add_settings(*command, report_table(), *settings);
  command->add_flag("--json", *as_json, "Print what was written as JSON, and nothing else");
  command->footer(
      "What a run lacks is left out and named. Nothing but the page is written.\n\n"
      "Example: strider report results/torus_30x40/2M_llama\n");
  command->callback([settings, as_json] { run_report(*settings, *as_json); });
}

}  // namespace strider::cli
