// strider extract: the representations of every token of a trained model.
#include "extract/extract.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "base/machine.h"
#include "base/thread_team.h"
#include "cli/commands.h"
#include "cli/notices.h"
#include "cli/say.h"

namespace strider::cli {
namespace {

void print_plan(const ExtractPlan& plan) {
  const ExtractSettings& settings = plan.settings;
  say("{}\nToken Representation Extraction\n{}\n\n", kRule, kRule);
  say("Model: {}\n", settings.model_dir.string());
  say("  Vocabulary size: {}\n", plan.token_ids.size());
  say("  Token IDs: {} to {}\n", plan.token_ids.front(), plan.token_ids.back());
  say("  Num layers: {}\n", plan.config.num_hidden_layers);
  say("  Hidden size: {}\n", plan.config.hidden_size);
  say("  Intermediate size: {}\n", plan.config.intermediate_size);
  say("  Parameters: {}\n\n", plan.parameters);
  say("Representations, each token alone at position 0:\n");
  for (const Representation what : plan.asked) {
    const RepresentationType& type = representation_type(what);
    say("  - {}: {}\n", type.name, type.where);
  }
  say("\n{} arrays, {:.1f} MB; {:.1f} MB of memory, {} thread{}\n\n", plan.arrays.size(),
      static_cast<double>(plan.array_bytes) * 1e-6, static_cast<double>(plan.memory_bytes) * 1e-6, settings.threads,
      settings.threads == 1 ? "" : "s");
}

void print_end(const ExtractPlan& plan, const ExtractSeconds& seconds) {
  say("\n{}\nExtraction complete!\n{}\n\n", kRule, kRule);
  say("Total tokens processed: {}\n", plan.token_ids.size());
  say("Seconds: {:.3f}, of them {:.3f} arithmetic and {:.3f} reading the model\n", seconds.total, seconds.forward,
      seconds.load);
  say("Representations saved to: {}\n\n", plan.settings.output_dir.string());
  say("Next step: Run PCA analysis with\n  ./03a_pca_analysis.sh\n");
}

void run_extract(ExtractSettings settings) {
  if (settings.threads == 0) settings.threads = available_processors();
  const ExtractPlan plan = plan_extraction(settings);
  print_plan(plan);
  std::fflush(stdout);
  const ExtractSeconds seconds = extract(
      plan, [&](const TokenArray& array) { say("  {}: ({}, {})\n", array.name, plan.token_ids.size(), array.width); });
  print_notices(seconds.notices);
  print_end(plan, seconds);
}

std::string types_help() {
  std::string help = "Where representations are taken:\n";
  for (const RepresentationType& type : representation_types()) {
    help += fmt::format("  {:<18}{}\n", type.name, type.where);
  }
  help += "input_embeds and final_hidden (after the final norm) are always written.\n\n";
  help += "Example: strider extract --model_dir results/torus_30x40/2M_llama/final_model \\\n";
  help += "           --output_dir results/torus_30x40/2M_llama/token_representations \\\n";
  help += "           --representations after_block ffn_gate\n";
  return help;
}

}  // namespace

void add_extract_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("extract", "Write a vector for every token at every layer of a model");
  auto settings = std::make_shared<ExtractSettings>();
  settings->threads = 0;
  command->add_option("--model_dir,--model-dir", settings->model_dir, "Folder of the trained model (final_model)")
      ->required();
  command->add_option("--output_dir,--output-dir", settings->output_dir, "Folder for the representations")
      ->default_val("token_representations");
  command
      ->add_option("--representations", settings->representations, "Types, with spaces or commas between (see below)")
      ->expected(1, CLI::detail::expected_max_vector_size)
      ->capture_default_str();
  command->add_flag("--overwrite", settings->overwrite, "Replace representations that are there already");
  command->add_option("--threads", settings->threads, "Threads; 0: all processors")
      ->check(CLI::Range(0, kMostThreads))
      ->capture_default_str();
  command->footer(types_help());
  command->callback([settings] { run_extract(*settings); });
}

}  // namespace strider::cli
