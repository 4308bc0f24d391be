// strider extract: the representations of every token of a trained model.
#include "extract/extract.h"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/machine.h"
#include "base/thread_team.h"
#include "cli/commands.h"
#include "cli/ranks.h"
#include "cli/say.h"
#include "cli/setting_options.h"
#include "extract/contexts.h"
#include "report/projector.h"
#include "report/screen.h"
#include "snapshots/checkpoint_extraction.h"

namespace strider::cli {
namespace {

void print_contexts(std::FILE* out, const ExtractPlan& plan) {
  const Contexts& contexts = *plan.contexts;
  for (const std::string& notice : contexts.notices) say(out, "{}\n", notice);
  say(out, "Representations, each token in context: the mean over {} of its places in the training walks (seed {})\n",
      contexts.per_token, plan.settings.upsample_seed);
  say(out, "  Dataset: {}\n", plan.settings.dataset_dir.string());
  say(out, "  Walks through the model: {}, each up to its last place, {} positions in all\n", contexts.walks,
      contexts.positions);
  if (contexts.repeating > 0)
    say(out, "  Tokens with fewer places, of which some are repeated: {}\n", contexts.repeating);
  if (contexts.alone > 0) say(out, "  Tokens without a place, taken alone: {}\n", contexts.alone);
}

void print_plan(std::FILE* out, const ExtractPlan& plan) {
  const ExtractSettings& settings = plan.settings;
  say(out, "{}\nToken Representation Extraction\n{}\n\n", kRule, kRule);
  say(out, "Model: {}\n", settings.model_dir.string());
  say(out, "  Vocabulary size: {}\n", plan.token_ids.size());
  say(out, "  Token IDs: {} to {}\n", plan.token_ids.front(), plan.token_ids.back());
  std::vector<IdRange> rows;
  for (const std::int32_t id : plan.token_ids) rows.push_back({id, id});
  const std::vector<IdRange> never = intersect(plan.never_seen, rows);
  if (!never.empty()) {
    say(out, "  Never seen in training: {} of {} tokens ({}); token_metadata.json marks them (never_seen)\n",
        never.size(), plan.token_ids.size(), ranges_text(plan.never_seen));
  }
  say(out, "  Num layers: {}\n", plan.config.num_hidden_layers);
  say(out, "  Hidden size: {}\n", plan.config.hidden_size);
  say(out, "  Intermediate size: {}\n", plan.config.intermediate_size);
  say(out, "  Parameters: {}\n\n", plan.parameters);
  if (plan.contexts == nullptr) {
    say(out, "Representations, each token alone at position 0:\n");
  } else {
    print_contexts(out, plan);
  }
  for (const Representation what : plan.asked) {
    const RepresentationType& type = representation_type(what);
    say(out, "  - {}: {}\n", type.name, type.where);
  }
  if (!plan.device_notice.empty()) say(out, "{}\n", plan.device_notice);
  if (settings.precision != Precision::kFloat32) say(out, "Precision: {}\n", name_of(settings.precision));
  say(out, "\n{} arrays, {:.1f} MB; {:.1f} MB of memory, {} thread{}\n\n", plan.arrays.size(),
      static_cast<double>(plan.array_bytes) * 1e-6, static_cast<double>(plan.memory_bytes) * 1e-6, settings.threads,
      settings.threads == 1 ? "" : "s");
  if (plan.keeps_raw) {
    say(out, "The single vectors: {:.1f} MB, and the same once more on the same disk while they are made\n\n",
        static_cast<double>(plan.raw_bytes) * 1e-6);
  }
}

void print_end(std::FILE* out, const ExtractPlan& plan, const ExtractSeconds& seconds) {
  say(out, "\n{}\nExtraction complete!\n{}\n\n", kRule, kRule);
  say(out, "Total tokens processed: {}\n", plan.token_ids.size());
  say(out, "Seconds: {:.3f}, of them {:.3f} arithmetic and {:.3f} reading the model\n", seconds.total, seconds.forward,
      seconds.load);
  say(out, "Representations saved to: {}\n\n", plan.settings.output_dir.string());
  say(out, "LLM-Topo's stages 03 and 04 read these files; Strider's README says how to run them.\n");
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

void print_earlier(std::FILE* out, const ExtractPlan& plan) {
  const std::string folder = plan.settings.output_dir.string();
  if (plan.earlier == EarlierOutput::kComplete) {
    say(out, "Token representations already exist in {}, already extracted from these weights.\n", folder);
  } else {
    say(out, "Token representations already exist in {}, and they are not those of this model:\n  {}\n", folder,
        plan.mismatch);
  }
}

// Asks at a terminal before what is there is replaced, as LLM-Topo's script does. Returns whether there is work to do.
bool settle_earlier_output(std::FILE* out, ExtractPlan& plan, bool ask) {
  const bool adds = plan.earlier == EarlierOutput::kNone || plan.earlier == EarlierOutput::kLacksTypes;
  if (adds) return true;
  if (ask && isatty(STDIN_FILENO) == 1) {
    print_earlier(out, plan);
    show_now(out);
    if (!confirms("Delete and re-extract? (y/N): ")) {
      say(out, "Skipping extraction.\n");
      return false;
    }
    ExtractSettings settings = plan.settings;
    settings.overwrite = true;
    plan = plan_extraction(settings);
  } else if (plan.earlier == EarlierOutput::kComplete) {
    print_earlier(out, plan);
    say(out, "They stay as they are; OVERWRITE=true (--overwrite) replaces them.\n");
    return false;
  }
  return true;
}

nlohmann::ordered_json extract_json(const ExtractPlan& plan, bool is_new, const ExtractSeconds& seconds) {
  nlohmann::ordered_json arrays = nlohmann::ordered_json::array();
  for (const TokenArray& array : plan.arrays) {
    arrays.push_back({{"name", array.name}, {"tokens", plan.token_ids.size()}, {"width", array.width}});
  }
  nlohmann::ordered_json types = nlohmann::ordered_json::array();
  for (const Representation what : plan.asked) types.push_back(representation_type(what).name);
  nlohmann::ordered_json object = {{"model", plan.settings.model_dir.string()},
                                   {"representations", plan.settings.output_dir.string()},
                                   {"written", is_new},
                                   {"tokens", plan.token_ids.size()},
                                   {"layers", plan.config.num_hidden_layers},
                                   {"hidden_size", plan.config.hidden_size},
                                   {"intermediate_size", plan.config.intermediate_size},
                                   {"parameters", plan.parameters},
                                   {"types", types},
                                   {"precision", name_of(plan.settings.precision)},
                                   {"device", name_of(plan.device)},
                                   {"threads", plan.settings.threads},
                                   {"array_bytes", plan.array_bytes},
                                   {"memory_bytes", plan.memory_bytes},
                                   {"arrays", arrays},
                                   {"contexts", nullptr}};
  if (plan.contexts != nullptr) {
    object["contexts"] = {{"per_token", plan.contexts->per_token},
                          {"seed", plan.settings.upsample_seed},
                          {"walks", plan.contexts->walks},
                          {"positions", plan.contexts->positions},
                          {"tokens_with_repeated_places", plan.contexts->repeating},
                          {"tokens_alone", plan.contexts->alone},
                          {"raw", plan.keeps_raw}};
  }
  if (is_new) {
    object["seconds"] = {{"total", seconds.total}, {"arithmetic", seconds.forward}, {"reading", seconds.load}};
  }
  object["notices"] = seconds.notices.texts();
  return object;
}

// Where --model_dir names the run's final model, the run is meant.
std::filesystem::path run_of(const std::filesystem::path& folder) {
  const std::filesystem::path normal = std::filesystem::absolute(folder).lexically_normal();
  const std::filesystem::path named = normal.has_filename() ? normal : normal.parent_path();
  return named.filename() == "final_model" ? folder.parent_path() : folder;
}

// `is_output_set`: whether the user named a place.
void run_checkpoints(const ExtractSettings& settings, bool is_output_set, bool as_json) {
  const char* const other = settings.upsample > 0                       ? "UPSAMPLE (--upsample)"
                            : settings.precision != Precision::kFloat32 ? "PRECISION (--precision)"
                            : settings.device == Device::kCuda          ? "DEVICE=cuda (--device)"
                                                                        : nullptr;
  if (other != nullptr) {
    throw Error(fmt::format("--checkpoints takes tokens alone, in float32 and on the CPU, and {} is set", other),
                {.file = {}, .place = {}, .advice = "Leave it out; or extract each checkpoint with --model_dir."});
  }
  std::FILE* const out = as_json ? nullptr : stdout;
  const CheckpointExtraction what{.run = run_of(settings.model_dir),
                                  .output = is_output_set ? settings.output_dir : std::filesystem::path(),
                                  .representations = settings.representations,
                                  .overwrite = settings.overwrite,
                                  .threads = settings.threads};
  say(out, "{}\nRepresentations of Every Checkpoint\n{}\n\nRun: {}\n\n", kRule, kRule, what.run.string());
  const ExtractedSteps steps = extract_checkpoints(what, [&](std::int64_t step, bool is_new) {
    say(out, "  Step {}{}\n", step, is_new ? "" : ", as it was");
    show_now(out);
  });
  if (as_json) {
    const nlohmann::ordered_json object = {{"run", what.run.string()},
                                           {"representations", steps.folder.string()},
                                           {"steps", steps.steps},
                                           {"written", steps.written},
                                           {"notices", steps.notices.texts()}};
    say("{}\n", object.dump(2));
    return;
  }
  print_notices(out, steps.notices);
  say(out, "\n{} of {} steps are new, in {}\n", steps.written, steps.steps.size(), steps.folder.string());
  say(out, "strider report shows them one after the other.\n");
}

void show_in_projector(std::FILE* out, const ExtractSettings& settings, const std::filesystem::path& folder) {
  if (folder.empty()) return;
  const WrittenProjector written =
      write_projector({.representations = settings.output_dir, .log_folder = folder, .graph = {}});
  print_notices(out, written.notices);
  say(out, "For TensorBoard's Projector: {} files, {:.1f} MB, in {}\n", written.files.size(),
      static_cast<double>(written.bytes) * 1e-6, folder.string());
}

// `out` is null where JSON is printed.
void run_extract(ExtractSettings settings, const std::filesystem::path& projector, bool ask, bool as_json) {
  std::FILE* const out = as_json ? nullptr : stdout;
  ExtractPlan plan = plan_extraction(settings);
  if (!settle_earlier_output(out, plan, ask && !as_json)) {
    show_in_projector(out, plan.settings, projector);
    if (as_json) say("{}\n", extract_json(plan, false, {}).dump(2));
    return;
  }
  if (plan.earlier != EarlierOutput::kOther) {  // which extract() refuses
    check_extraction_memory(plan, memory_limit_bytes());
    print_plan(out, plan);
    show_now(out);
  }
  ExtractListener listener;
  listener.on_array = [&](const TokenArray& array) {
    const bool kept = std::ranges::find(plan.computed, array.name, &TokenArray::name) == plan.computed.end();
    say(out, "  {}: ({}, {}){}\n", array.name, plan.token_ids.size(), array.width, kept ? ", as it was" : "");
  };
  std::int64_t tenths = 0;
  listener.on_walks = [&](std::int64_t done) {
    if (done * 10 / plan.contexts->walks == tenths) return;
    tenths = done * 10 / plan.contexts->walks;
    say(out, "  {}% of the walks\n", tenths * 10);
    show_now(out);
  };
  const ExtractSeconds seconds = extract(plan, listener);
  show_in_projector(out, plan.settings, projector);
  if (as_json) {
    say("{}\n", extract_json(plan, true, seconds).dump(2));
    return;
  }
  print_notices(out, seconds.notices);
  print_end(out, plan, seconds);
}

std::string types_help() {
  std::string help = "Where representations are taken:\n";
  for (const RepresentationType& type : representation_types()) {
    help += fmt::format("  {:<18}{}\n", type.name, type.where);
  }
  help += "input_embeds and final_hidden (after the final norm) are always written.\n\n";
  help +=
      "--checkpoints leaves one file a step and an index; steps that are there already, of the same weights, stay.\n\n";
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
      Row("model_dir", "MODEL_DIR", folder(&S::model_dir), any_value(), "Folder of the trained model (final_model)")
          .required(),
      Row("output_dir", "REPRESENTATION_DIR", folder(&S::output_dir), any_value(), "Folder for the representations"),
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
      Row("device", "DEVICE",
          choice(&S::device, {{"cpu", Device::kCpu}, {"cuda", Device::kCuda}, {"auto", Device::kAuto}}), any_value(),
          "cpu, cuda (one NVIDIA GPU, or an error), or auto (the GPU where there is one); for tokens alone the CPU is "
          "done before a GPU has started"),
      Row("dataset_dir", "DATASET_DIR", folder(&S::dataset_dir), any_value(),
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
      ->option_text("REPRESENTATIONS [after_block] ...")
      ->type_name(words_type(representation_type_names()));
  command->add_flag("--ask", *ask, "At a terminal: ask before replacing them");
  auto options = std::make_shared<RankOptions>();
  add_settings(*command, rank_settings(), *options);
  auto projector = std::make_shared<std::filesystem::path>();
  command
      ->add_option("--projector_dir,--projector-dir", *projector,
                   "Folder of event files; also write the representations there as tables for TensorBoard's Projector")
      ->type_name(kFolderType)
      ->option_text("PROJECTOR_DIR");
  auto checkpoints = std::make_shared<bool>(false);
  command->add_flag("--checkpoints", *checkpoints,
                    "Of every checkpoint of the run that --model_dir names, and of its first weights; by default into "
                    "representations_by_step/ there");
  auto as_json = std::make_shared<bool>(false);
  command->add_flag("--json", *as_json, "Print what was made as JSON, and nothing else; does not ask");
  command->footer(types_help());
  command->callback([settings, options, projector, ask, checkpoints, as_json, command] {
    const std::unique_ptr<Communicator> ranks = ranks_of(*options);
    if (settings->threads == 0) settings->threads = available_processors();
    if (ranks->rank() > 0) {
      follow_rank(*ranks, settings->threads);
      return;
    }
    settings->ranks = ranks.get();
    lead_ranks(*ranks, [&] {
      if (*checkpoints) {
        run_checkpoints(*settings, command->count("--output_dir") > 0, *as_json);
      } else {
        run_extract(*settings, *projector, *ask, *as_json);
      }
    });
  });
}

}  // namespace strider::cli
