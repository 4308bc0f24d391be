#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/shell_word.h"
#include "engine/choose_device.h"
#include "extract/context_states.h"
#include "extract/contexts.h"
#include "extract/earlier.h"
#include "extract/output.h"
#include "extract/work.h"
#include "io/large_file.h"
#include "io/leftovers.h"
#include "model/folder.h"
#include "model/parameters.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

// The program, its libraries and their heaps, and the kernels that are made at run time.
constexpr std::uint64_t kProgramBytes = 40'000'000;
// Reading the vocabulary and writing token_metadata.json, for each token.
constexpr std::uint64_t kBytesOfAToken = 330;
// Floats of a piece of the single vectors in context, where one token's are not more.
constexpr std::int64_t kRawFloats = 1 << 20;

fs::file_type type_at(const fs::path& path) {
  std::error_code status;
  const fs::file_type type = fs::status(path, status).type();
  if (type == fs::file_type::none) {
    throw system_error(
        "cannot look at this place", status.value(),
        {.file = path.string(), .place = {}, .advice = "Check the permissions of the folders above it."});
  }
  return type;
}

void check_folders(const ExtractSettings& settings) {
  const fs::path& output = settings.output_dir;
  if (type_at(settings.model_dir) != fs::file_type::directory) {
    throw Error(fmt::format("Model directory {} not found!", settings.model_dir.string()),
                {.file = {}, .place = {}, .advice = "Please run 02a_model_training.sh first"});
  }
  if (type_at(settings.model_dir / "config.json") == fs::file_type::not_found &&
      type_at(settings.model_dir / "final_model" / "config.json") != fs::file_type::not_found) {
    throw Error("this is the folder of a run, not of a model",
                {.file = settings.model_dir.string(),
                 .place = {},
                 .advice = fmt::format("Its model is --model_dir {} (MODEL_DIR).",
                                       shell_word((settings.model_dir / "final_model").string()))});
  }
  const fs::file_type type = type_at(output);
  if (type == fs::file_type::not_found) return;
  if (type != fs::file_type::directory) {
    throw Error("The output directory is no directory",
                {.file = output.string(), .place = {}, .advice = "Move it away, or name another output directory."});
  }
}

// Beside what both kinds of extraction take.
std::uint64_t states_memory_bytes(const ExtractPlan& plan) {
  const auto tokens = static_cast<std::int64_t>(plan.token_ids.size());
  if (plan.contexts == nullptr) return token_states_memory_bytes(plan.config, tokens, plan.computed);
  return ContextStates::memory_bytes(plan) + plan.contexts->draws.size() * sizeof(ContextDraw) +
         (plan.keeps_raw ? raw_piece_floats(plan) * sizeof(float) : 0);
}

std::uint64_t extraction_memory_bytes(const ExtractPlan& plan) {
  return engine_memory_bytes(plan.config, engine_settings(plan)) + states_memory_bytes(plan) +
         2 * piece_floats(plan) * sizeof(float) +  // one is made while one is written
         2 * LargeFile::kBufferBytes + plan.token_ids.size() * kBytesOfAToken + kProgramBytes;
}

bool has_all(const std::vector<Representation>& there, const std::vector<Representation>& asked) {
  return std::ranges::all_of(asked, [&](Representation what) { return std::ranges::find(there, what) != there.end(); });
}

// In the order of representation_types(), so that types that are added one by one give the files of all at once.
std::vector<Representation> together(const std::vector<Representation>& a, const std::vector<Representation>& b) {
  std::vector<Representation> all;
  for (const RepresentationType& type : representation_types()) {
    if (has_all(a, {type.what}) || has_all(b, {type.what})) all.push_back(type.what);
  }
  return all;
}

void look_at_earlier_output(ExtractPlan& plan) {
  const fs::path& output = plan.settings.output_dir;
  plan.arrays = plan.computed = list_token_arrays(plan.config, plan.asked);
  if (plan.settings.overwrite || type_at(output / kArraysFile) == fs::file_type::not_found) return;
  const ParameterLayout layout(plan.config);
  {
    std::vector<float> values(static_cast<std::size_t>(layout.total()));
    read_weights(plan.settings.model_dir, layout, values, Head::kOptional);
    plan.fingerprint = fingerprint_of(plan.config, layout, values, plan.token_ids);
    plan.fingerprint.precision = name_of(plan.settings.precision);
    plan.fingerprint.contexts = context_fields(plan);
  }
  const EarlierExtraction earlier = read_earlier(
      output, plan.config, plan.fingerprint, static_cast<std::int64_t>(plan.token_ids.size()), plan.settings.upsample);
  plan.mismatch = earlier.mismatch;
  plan.earlier = EarlierOutput::kOther;
  if (!plan.mismatch.empty()) return;
  // The file of single vectors has all arrays or does not exist; it cannot be made from the means.
  const bool lacks_raw = plan.keeps_raw && !earlier.has_raw;
  plan.keeps_raw = plan.keeps_raw || earlier.has_raw;
  const bool is_complete = has_all(earlier.types, plan.asked) && !lacks_raw;
  plan.earlier = is_complete ? EarlierOutput::kComplete : EarlierOutput::kLacksTypes;
  plan.asked = together(earlier.types, plan.asked);
  plan.arrays = list_token_arrays(plan.config, plan.asked);
  plan.computed = plan.arrays;
  if (lacks_raw) return;
  const std::vector<TokenArray> kept = list_token_arrays(plan.config, earlier.types);
  std::erase_if(plan.computed, [&](const TokenArray& array) {
    return std::ranges::find(kept, array.name, &TokenArray::name) != kept.end();
  });
}

}  // namespace

fs::path staged_beside_others(const fs::path& folder) {
  return folder / "representations";
}

// It only reads. Tokens that are alone go through it one by one.
EngineSettings engine_settings(const ExtractPlan& plan) {
  EngineSettings engine{
      .threads = plan.settings.threads, .max_length = 1, .walks_per_step = 1, .precision = plan.settings.precision};
  if (plan.contexts != nullptr) {
    engine.max_length = plan.contexts->longest;
    engine.walks_per_step = plan.contexts->most_walks;
    engine.ranks = plan.settings.ranks;
  } else if (plan.device == Device::kCuda) {
    engine.walks_per_step = kRowsAtOnce;
  }
  return engine;
}

std::uint64_t piece_floats(const ExtractPlan& plan) {
  const auto rows = std::min(kRowsAtOnce, static_cast<std::int64_t>(plan.token_ids.size()));
  return static_cast<std::uint64_t>(rows * std::max(plan.config.hidden_size, plan.config.intermediate_size));
}

std::int64_t raw_rows_at_once(const ExtractPlan& plan) {
  const std::int64_t width = std::max(plan.config.hidden_size, plan.config.intermediate_size);
  return std::max<std::int64_t>(1, kRawFloats / (width * plan.settings.upsample));
}

std::uint64_t raw_piece_floats(const ExtractPlan& plan) {
  const std::int64_t width = std::max(plan.config.hidden_size, plan.config.intermediate_size);
  return static_cast<std::uint64_t>(raw_rows_at_once(plan) * plan.settings.upsample * width);
}

std::vector<std::pair<std::string, std::string>> context_fields(const ExtractPlan& plan) {
  if (plan.contexts == nullptr) return {};
  return {{"UPSAMPLE", fmt::format("{}", plan.settings.upsample)},
          {"UPSAMPLE_SEED", fmt::format("{}", plan.settings.upsample_seed)},
          {"training_walks", plan.contexts->training_walks}};
}

namespace {

void choose_machine(ExtractPlan& plan) {
  if (plan.settings.device == Device::kCpu) return;
  plan.device = Device::kCuda;  // whose settings are asked about
  const DeviceChoice choice = choose_device(plan.settings.device, plan.config, engine_settings(plan));
  plan.device = choice.device;
  plan.device_notice = choice.why;
}

}  // namespace

ExtractPlan plan_extraction(const ExtractSettings& settings) {
  ExtractPlan plan;
  plan.settings = settings;
  plan.asked = parse_representations(settings.representations);
  check_folders(settings);
  // Also where nothing is left to do: what an extraction left that was killed while it added or replaced.
  for (const fs::path& place : {settings.output_dir, staged_beside_others(settings.output_dir)}) {
    clear_abandoned(place);
  }
  plan.config = read_config(settings.model_dir / "config.json");
  plan.parameters = ParameterLayout(plan.config).total();
  const std::vector<std::int64_t> ids = read_token_ids(settings.model_dir, plan.config.vocab_size, &plan.token_texts);
  plan.never_seen = read_never_seen(settings.model_dir).value_or(std::vector<IdRange>());
  plan.token_ids.assign(ids.begin(), ids.end());
  if (settings.upsample > 0) {
    if (settings.dataset_dir.empty()) {
      throw Error("UPSAMPLE (--upsample) takes places of the training walks, and no dataset is named",
                  {.file = {}, .place = {}, .advice = "Name it with DATASET_DIR (--dataset_dir)."});
    }
    plan.contexts = std::make_shared<const Contexts>(draw_contexts(
        settings.dataset_dir, settings.upsample, settings.upsample_seed, plan.token_ids, plan.config.vocab_size));
    plan.keeps_raw = settings.upsample_raw;
  }
  choose_machine(plan);
  look_at_earlier_output(plan);
  plan.array_bytes = plan.token_ids.size() * static_cast<std::uint64_t>(states_width(plan.arrays)) * sizeof(float);
  if (plan.keeps_raw) plan.raw_bytes = plan.array_bytes * static_cast<std::uint64_t>(settings.upsample);
  plan.memory_bytes = extraction_memory_bytes(plan);
  return plan;
}

void check_extraction_memory(const ExtractPlan& plan, std::uint64_t available) {
  if (plan.memory_bytes <= available) return;
  ExtractPlan smaller = plan;
  std::string advice = "Use a smaller model, or a machine with more memory.";
  smaller.settings.threads = 1;
  if (extraction_memory_bytes(smaller) <= available) {
    smaller.settings.threads = plan.settings.threads;
    while (extraction_memory_bytes(smaller) > available) smaller.settings.threads -= 1;
    advice = fmt::format("It fits with THREADS={}.", smaller.settings.threads);
  } else if (plan.computed.size() > 1) {
    // One type at a time; a later call adds the next one. Gate and up take more together than alone.
    smaller.arrays = smaller.computed = list_token_arrays(plan.config, std::vector{Representation::kAfterBlock});
    if (extraction_memory_bytes(smaller) <= available) {
      advice = "It fits with THREADS=1 and fewer REPRESENTATIONS; a later call with others adds those.";
    }
  }
  throw Error(fmt::format("the extraction needs {} MB of memory, {} MB are available", plan.memory_bytes >> 20,
                          available >> 20),
              {.file = {}, .place = {}, .advice = advice});
}

}  // namespace strider
