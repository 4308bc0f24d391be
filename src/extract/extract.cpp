#include "extract/extract.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/clock.h"
#include "base/error.h"
#include "base/shell_word.h"
#include "engine/engine.h"
#include "extract/earlier.h"
#include "extract/output.h"
#include "extract/pieces_ahead.h"
#include "io/atomic_file.h"
#include "io/large_file.h"
#include "io/leftovers.h"
#include "io/npz.h"
#include "model/folder.h"
#include "model/parameters.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

// Rows of an array that are made at a time: work for a team, small beside the model.
constexpr std::int64_t kRowsAtOnce = 32 * TokenStates::kBlock;

// The program, its libraries and their heaps, and the kernels that are made at run time.
constexpr std::uint64_t kProgramBytes = 40'000'000;
// Reading the vocabulary and writing token_metadata.json, for each token.
constexpr std::uint64_t kBytesOfAToken = 330;

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

// What the files are staged as, hidden, in a folder that is there already.
fs::path staged_beside_others(const fs::path& folder) {
  return folder / "representations";
}

// One that only reads: tokens go through it one by one.
EngineSettings engine_settings(const ExtractSettings& settings) {
  return {.threads = settings.threads, .max_length = 1, .walks_per_step = 1};
}

std::uint64_t piece_floats(const ExtractPlan& plan) {
  const auto rows = std::min(kRowsAtOnce, static_cast<std::int64_t>(plan.token_ids.size()));
  return static_cast<std::uint64_t>(rows * std::max(plan.config.hidden_size, plan.config.intermediate_size));
}

std::uint64_t extraction_memory_bytes(const ExtractPlan& plan) {
  const auto tokens = static_cast<std::int64_t>(plan.token_ids.size());
  return engine_memory_bytes(plan.config, engine_settings(plan.settings)) +
         token_states_memory_bytes(plan.config, tokens, plan.computed) +
         2 * piece_floats(plan) * sizeof(float) +  // one is made while one is written
         2 * LargeFile::kBufferBytes + plan.token_ids.size() * kBytesOfAToken + kProgramBytes;
}

// The pieces of all arrays, one after the other, as write_npz asks for them: computed, or copied from the file that was
// there before.
class Pieces {
 public:
  Pieces(const ExtractPlan& plan, TokenStates& states) : plan_(plan), states_(states) {}

  std::int64_t next(float* out) {
    if (array_ == plan_.arrays.size()) return 0;
    const Clock::time_point start = Clock::now();
    const TokenArray& array = plan_.arrays[array_];
    const std::int64_t count = std::min(kRowsAtOnce, states_.tokens() - first_);
    if (std::ranges::find(plan_.computed, array.name, &TokenArray::name) != plan_.computed.end()) {
      states_.compute(array, first_, count, out);
      seconds_ += seconds_since(start);
    } else {
      if (first_ == 0) kept_.emplace(plan_.settings.output_dir / kArraysFile, array.name);
      kept_->read({out, static_cast<std::size_t>(count * array.width)});
    }
    first_ += count;
    if (first_ == states_.tokens()) {
      array_ += 1;
      first_ = 0;
    }
    return count * array.width;
  }

  double seconds() const { return seconds_; }

 private:
  const ExtractPlan& plan_;
  TokenStates& states_;
  std::optional<NpzFloatReader> kept_;
  std::size_t array_ = 0;
  std::int64_t first_ = 0;
  double seconds_ = 0.0;
};

/// Returns the seconds of arithmetic.
double write_arrays(const ExtractPlan& plan, Engine& engine, const fs::path& file,
                    const std::function<void(const TokenArray&)>& on_array) {
  const std::unique_ptr<TokenStates> states = engine.token_states(plan.token_ids, plan.computed);
  Pieces pieces(plan, *states);
  {
    PiecesAhead ahead(static_cast<std::int64_t>(piece_floats(plan)), [&](float* out) { return pieces.next(out); });
    std::vector<NpzArray> arrays;
    for (const TokenArray& array : plan.arrays) {
      auto rows = [&](std::int64_t first, std::int64_t count) {
        const std::span<const float> piece = ahead.take();
        if (first + count == states->tokens()) on_array(array);
        return piece;
      };
      arrays.push_back({array.name, {states->tokens(), array.width}, std::move(rows)});
    }
    write_npz(file, arrays, kRowsAtOnce);
  }
  return pieces.seconds();
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
  }
  const EarlierExtraction earlier =
      read_earlier(output, plan.config, plan.fingerprint, static_cast<std::int64_t>(plan.token_ids.size()));
  plan.mismatch = earlier.mismatch;
  plan.earlier = EarlierOutput::kOther;
  if (!plan.mismatch.empty()) return;
  plan.earlier = has_all(earlier.types, plan.asked) ? EarlierOutput::kComplete : EarlierOutput::kLacksTypes;
  plan.asked = together(earlier.types, plan.asked);
  plan.arrays = list_token_arrays(plan.config, plan.asked);
  const std::vector<TokenArray> kept = list_token_arrays(plan.config, earlier.types);
  std::erase_if(plan.computed, [&](const TokenArray& array) {
    return std::ranges::find(kept, array.name, &TokenArray::name) != kept.end();
  });
}

[[noreturn]] void refuse_other(const ExtractPlan& plan) {
  throw Error(fmt::format("Token representations already exist in {}, and they are not those of this model: {}",
                          plan.settings.output_dir.string(), plan.mismatch),
              {.file = {},
               .place = {},
               .advice = "OVERWRITE=true (--overwrite) replaces them; or name another REPRESENTATION_DIR "
                         "(--output_dir)."});
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
  look_at_earlier_output(plan);
  for (const TokenArray& array : plan.arrays) {
    plan.array_bytes +=
        static_cast<std::uint64_t>(plan.token_ids.size()) * static_cast<std::uint64_t>(array.width) * sizeof(float);
  }
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

ExtractSeconds extract(const ExtractPlan& plan, const std::function<void(const TokenArray&)>& on_array) {
  ExtractSeconds seconds;
  if (plan.earlier == EarlierOutput::kOther) refuse_other(plan);
  if (plan.earlier == EarlierOutput::kComplete) return seconds;
  const Clock::time_point start = Clock::now();
  const std::unique_ptr<Engine> engine = make_engine(plan.config, engine_settings(plan.settings));
  ModelFingerprint fingerprint;
  engine->load_parameters([&](std::span<float> values) {
    read_weights(plan.settings.model_dir, engine->layout(), values, Head::kOptional);
    fingerprint = fingerprint_of(plan.config, engine->layout(), values, plan.token_ids);
  });
  const bool adds = plan.earlier == EarlierOutput::kLacksTypes;
  if (adds && fingerprint != plan.fingerprint) {
    throw Error("the model changed while its representations were extracted",
                {.file = plan.settings.model_dir.string(), .place = {}, .advice = "Run the same command again."});
  }
  seconds.load = seconds_since(start);

  const fs::path& folder = plan.settings.output_dir;
  const bool beside_others = fs::is_directory(folder);
  AtomicFolder staged(beside_others ? staged_beside_others(folder) : folder);
  seconds.forward = write_arrays(plan, *engine, staged.path() / kArraysFile, on_array);
  write_file_atomically(staged.path() / kMetadataFile, metadata_json(plan));
  write_file_atomically(staged.path() / kSummaryFile, summary_json(plan));
  write_file_atomically(staged.path() / kInfoFile,
                        info_json(plan, fingerprint, read_npz_entries(staged.path() / kArraysFile)));
  if (beside_others) {
    // A kill between two of them leaves files that fit: the arrays are what says that an extraction is there, and those
    // that are added to are all in the new file.
    std::vector<std::string> files = {kMetadataFile, kSummaryFile, kInfoFile};
    files.insert(adds ? files.begin() : files.end(), kArraysFile);
    seconds.notices = move_into_place(staged.path(), folder, files);
  } else {
    seconds.notices = staged.commit();
  }
  seconds.total = seconds_since(start);
  return seconds;
}

}  // namespace strider
