// strider extract: the representations of every token of a trained model.
#include "extract/extract.h"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "base/machine.h"
#include "base/thread_team.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "cli/setting_options.h"
#include "extract/contexts.h"
#include "report/screen.h"

namespace strider::cli {
namespace {

void print_contexts(const ExtractPlan& plan) {
  const Contexts& contexts = *plan.contexts;
  for (const std::string& notice : contexts.notices) say("{}\n", notice);
  say("Representations, each token in context: the mean over {} of its places in the training walks (seed {})\n",
      contexts.per_token, plan.settings.upsample_seed);
  say("  Dataset: {}\n", plan.settings.dataset_dir.string());
  say("  Walks through the model: {}, each up to its last place, {} positions in all\n", contexts.walks,
      contexts.positions);
  if (contexts.repeating > 0) say("  Tokens with fewer places, of which some are repeated: {}\n", contexts.repeating);
  if (contexts.alone > 0) say("  Tokens without a place, taken alone: {}\n", contexts.alone);
}

void print_plan(const ExtractPlan& plan) {
  const ExtractSettings& settings = plan.settings;
  say("{}\nToken Representation Extraction\n{}\n\n", kRule, kRule);
  say("Model: {}\n", settings.model_dir.string());
  say("  Vocabulary size: {}\n", plan.token_ids.size());
  say("  Token IDs: {} to {}\n", plan.token_ids.front(), plan.token_ids.back());
  std::vector<IdRange> rows;
  for (const std::int32_t id : plan.token_ids) rows.push_back({id, id});
  const std::vector<IdRange> never = intersect(plan.never_seen, rows);
  if (!never.empty()) {
    say("  Never seen in training: {} of {} tokens ({}); token_metadata.json marks them (never_seen)\n", never.size(),
        plan.token_ids.size(), ranges_text(plan.never_seen));
  }
  say("  Num layers: {}\n", plan.config.num_hidden_layers);
  say("  Hidden size: {}\n", plan.config.hidden_size);
  say("  Intermediate size: {}\n", plan.config.intermediate_size);
  say("  Parameters: {}\n\n", plan.parameters);
  if (plan.contexts == nullptr) {
    say("Representations, each token alone at position 0:\n");
  } else {
    print_contexts(plan);
  }
  for (const Representation what : plan.asked) {
    const RepresentationType& type = representation_type(what);
    say("  - {}: {}\n", type.name, type.where);
  }
  if (settings.precision != Precision::kFloat32) say("Precision: {}\n", name_of(settings.precision));
  say("\n{} arrays, {:.1f} MB; {:.1f} MB of memory, {} thread{}\n\n", plan.arrays.size(),
      static_cast<double>(plan.array_bytes) * 1e-6, static_cast<double>(plan.memory_bytes) * 1e-6, settings.threads,
      settings.threads == 1 ? "" : "s");
  if (plan.keeps_raw) {
    say("The single vectors: {:.1f} MB, and the same once more on the same disk while they are made\n\n",
        static_cast<double>(plan.raw_bytes) * 1e-6);
  }
}

void print_end(const ExtractPlan& plan, const ExtractSeconds& seconds) {
  say("\n{}\nExtraction complete!\n{}\n\n", kRule, kRule);
  say("Total tokens processed: {}\n", plan.token_ids.size());
  say("Seconds: {:.3f}, of them {:.3f} arithmetic and {:.3f} reading the model\n", seconds.total, seconds.forward,
      seconds.load);
  say("Representations saved to: {}\n\n", plan.settings.output_dir.string());
  say("LLM-Topo's stages 03 and 04 read these files; Strider's README says how to run them.\n");
}

/// Waits for one key on the terminal, with or without Enter; whether it is y.
bool confirms(const char* question) {
  say(stderr, "{}", question);
  termios before{};
  if (tcgetattr(STDIN_FILENO, &before) != 0) return false;
  termios by_key = before;
  by_key.c_lflag &= ~static_cast<tcflag_t>(ICANON);
  tcsetattr(STDIN_FILENO, TCSANOW, &by_key);
  char key = 0;
  const bool got = read(STDIN_FILENO, &key, 1) == 1;
  tcsetattr(STDIN_FILENO, TCSANOW, &before);
  say(stderr, "\n");
  return got && (key == 'y' || key == 'Y');
}

void print_earlier(const ExtractPlan& plan) {
  const std::string folder = plan.settings.output_dir.string();
  if (plan.earlier == EarlierOutput::kComplete) {
    say("Token representations already exist in {}, already extracted from these weights.\n", folder);
  } else {
    say("Token representations already exist in {}, and they are not those of this model:\n  {}\n", folder,
        plan.mismatch);
  }
}

// Asks at a terminal before what is there is replaced, as LLM-Topo's script does. Returns whether there is work to do.
bool settle_earlier_output(ExtractPlan& plan, bool ask) {
  const bool adds = plan.earlier == EarlierOutput::kNone || plan.earlier == EarlierOutput::kLacksTypes;
  if (adds) return true;
  if (ask && isatty(STDIN_FILENO) == 1) {
    print_earlier(plan);
    std::fflush(stdout);
    if (!confirms("Delete and re-extract? (y/N): ")) {
      say("Skipping extraction.\n");
      return false;
    }
    ExtractSettings settings = plan.settings;
    settings.overwrite = true;
    plan = plan_extraction(settings);
  } else if (plan.earlier == EarlierOutput::kComplete) {
    print_earlier(plan);
    say("They stay as they are; OVERWRITE=true (--overwrite) replaces them.\n");
    return false;
  }
  return true;
}

void run_extract(ExtractSettings settings, bool ask) {
  if (settings.threads == 0) settings.threads = available_processors();
  ExtractPlan plan = plan_extraction(settings);
  if (!settle_earlier_output(plan, ask)) return;
  if (plan.earlier != EarlierOutput::kOther) {  // which extract() refuses
    check_extraction_memory(plan, memory_limit_bytes());
    print_plan(plan);
    std::fflush(stdout);
  }
  ExtractListener listener;
  listener.on_array = [&](const TokenArray& array) {
    const bool kept = std::ranges::find(plan.computed, array.name, &TokenArray::name) == plan.computed.end();
    say("  {}: ({}, {}){}\n", array.name, plan.token_ids.size(), array.width, kept ? ", as it was" : "");
  };
  std::int64_t tenths = 0;
  listener.on_walks = [&](std::int64_t done) {
    if (done * 10 / plan.contexts->walks == tenths) return;
    tenths = done * 10 / plan.contexts->walks;
    say("  {}% of the walks\n", tenths * 10);
    std::fflush(stdout);
  };
  const ExtractSeconds seconds = extract(plan, listener);
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

std::vector<Setting<ExtractSettings>> extract_table() {
  using namespace settings;
  using Row = Setting<ExtractSettings>;
  using S = ExtractSettings;
  return {
      Row("model_dir", "MODEL_DIR", path(&S::model_dir), any_value(), "Folder of the trained model (final_model)")
          .required(),
      Row("output_dir", "REPRESENTATION_DIR", path(&S::output_dir), any_value(), "Folder for the representations"),
      Row("threads", "THREADS", number(&S::threads).or_word("all", 0), between(1, kMostThreads), "Threads; or all"),
      Row("overwrite", "OVERWRITE", toggle(&S::overwrite), any_value(),
          "Replace representations that are there already"),
      Row("upsample", "UPSAMPLE", number(&S::upsample), between(0, 1'000'000),
          "Take the mean over so many places of each token in the training walks; 0: each token alone"),
      Row("upsample_seed", "UPSAMPLE_SEED", number(&S::upsample_seed), any_value(), "Seed that draws the places"),
      Row("upsample_raw", "UPSAMPLE_RAW", toggle(&S::upsample_raw), any_value(),
          "Also keep the single vectors, in token_representations_upsampled_raw.npz"),
      Row("precision", "PRECISION",
          choice(&S::precision,
                 {{"float32", Precision::kFloat32}, {"bfloat16", Precision::kBfloat16}, {"auto", Precision::kFloat32}}),
          any_value(), "Operands of matrix products: float32, or bfloat16; auto, which is for training, is float32"),
      Row("dataset_dir", "DATASET_DIR", path(&S::dataset_dir), any_value(),
          "The dataset that the model was trained on, for --upsample"),
  };
}

}  // namespace

void add_extract_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("extract", "Write a vector for every token at every layer of a model");
  auto settings = std::make_shared<ExtractSettings>();
  auto ask = std::make_shared<bool>(false);
  settings->output_dir = "token_representations";
  settings->threads = 0;  // all
  add_settings(*command, extract_table(), *settings);
  command
      ->add_option("--representations", settings->representations, "Types, with spaces or commas between (see below)")
      ->expected(1, CLI::detail::expected_max_vector_size)
      ->option_text("REPRESENTATIONS [after_block] ...");
  command->add_flag("--ask", *ask, "At a terminal: ask before replacing them");
  command->footer(types_help());
  command->callback([settings, ask] { run_extract(*settings, *ask); });
}

}  // namespace strider::cli
