#include "extract/extract.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "engine/engine.h"
#include "extract/output.h"
#include "extract/pieces_ahead.h"
#include "io/atomic_file.h"
#include "io/large_file.h"
#include "io/npz.h"
#include "model/folder.h"
#include "model/parameters.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// Rows of an array that are made at a time: work for a team, small beside the model.
constexpr std::int64_t kRowsAtOnce = 32 * TokenStates::kBlock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

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
                {.file = {}, .place = {}, .advice = "Please run ./02a_model_training.sh first"});
  }
  const fs::file_type type = type_at(output);
  if (type == fs::file_type::not_found) return;
  if (type != fs::file_type::directory) {
    throw Error("The output directory is no directory",
                {.file = output.string(), .place = {}, .advice = "Move it away, or name another output directory."});
  }
  if (!settings.overwrite && type_at(output / kArraysFile) != fs::file_type::not_found) {
    throw Error(fmt::format("Token representations already exist in {}", output.string()),
                {.file = {},
                 .place = {},
                 .advice = "Replace them with --overwrite (OVERWRITE=true ./02b_representation_extraction.sh), or name "
                           "another output directory."});
  }
}

// One that only reads: tokens go through it one by one.
EngineSettings engine_settings(const ExtractSettings& settings) {
  return {.threads = settings.threads, .max_length = 1, .walks_per_step = 1};
}

std::uint64_t piece_floats(const ExtractPlan& plan) {
  const auto rows = std::min(kRowsAtOnce, static_cast<std::int64_t>(plan.token_ids.size()));
  return static_cast<std::uint64_t>(rows * std::max(plan.config.hidden_size, plan.config.intermediate_size));
}

// The pieces of all arrays, one after the other, as write_npz asks for them.
class Pieces {
 public:
  Pieces(const ExtractPlan& plan, TokenStates& states) : plan_(plan), states_(states) {}

  std::int64_t next(float* out) {
    if (array_ == plan_.arrays.size()) return 0;
    const Clock::time_point start = Clock::now();
    const TokenArray& array = plan_.arrays[array_];
    const std::int64_t count = std::min(kRowsAtOnce, states_.tokens() - first_);
    states_.compute(array, first_, count, out);
    first_ += count;
    if (first_ == states_.tokens()) {
      array_ += 1;
      first_ = 0;
    }
    seconds_ += seconds_since(start);
    return count * array.width;
  }

  double seconds() const { return seconds_; }

 private:
  const ExtractPlan& plan_;
  TokenStates& states_;
  std::size_t array_ = 0;
  std::int64_t first_ = 0;
  double seconds_ = 0.0;
};

/// Returns the seconds of arithmetic.
double write_arrays(const ExtractPlan& plan, Engine& engine, const fs::path& file,
                    const std::function<void(const TokenArray&)>& on_array) {
  const std::unique_ptr<TokenStates> states = engine.token_states(plan.token_ids, plan.arrays);
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

}  // namespace

ExtractPlan plan_extraction(const ExtractSettings& settings) {
  ExtractPlan plan;
  plan.settings = settings;
  plan.asked = parse_representations(settings.representations);
  check_folders(settings);
  plan.config = read_config(settings.model_dir / "config.json");
  plan.parameters = ParameterLayout(plan.config).total();
  const std::vector<std::int64_t> ids = read_token_ids(settings.model_dir, plan.config.vocab_size);
  plan.token_ids.assign(ids.begin(), ids.end());
  plan.arrays = list_token_arrays(plan.config, plan.asked);
  const auto tokens = static_cast<std::int64_t>(plan.token_ids.size());
  for (const TokenArray& array : plan.arrays) {
    plan.array_bytes += static_cast<std::uint64_t>(tokens * array.width) * sizeof(float);
  }
  plan.memory_bytes = engine_memory_bytes(plan.config, engine_settings(settings)) +
                      token_states_memory_bytes(plan.config, tokens, plan.arrays) +
                      2 * piece_floats(plan) * sizeof(float) +  // one is made while one is written
                      2 * LargeFile::kBufferBytes;
  return plan;
}

ExtractSeconds extract(const ExtractPlan& plan, const std::function<void(const TokenArray&)>& on_array) {
  ExtractSeconds seconds;
  const Clock::time_point start = Clock::now();
  const std::unique_ptr<Engine> engine = make_engine(plan.config, engine_settings(plan.settings));
  engine->load_parameters(
      [&](std::span<float> values) { read_weights(plan.settings.model_dir, engine->layout(), values); });
  seconds.load = seconds_since(start);

  const fs::path& folder = plan.settings.output_dir;
  const bool beside_others = fs::is_directory(folder);
  AtomicFolder staged(beside_others ? folder / "representations" : folder);
  seconds.forward = write_arrays(plan, *engine, staged.path() / kArraysFile, on_array);
  write_file_atomically(staged.path() / kMetadataFile, metadata_json(plan));
  write_file_atomically(staged.path() / kSummaryFile, summary_json(plan));
  write_file_atomically(staged.path() / kInfoFile, info_json(plan));
  if (beside_others) {
    // The arrays last, since they are what says that an extraction is there.
    seconds.notices = move_into_place(staged.path(), folder, {kMetadataFile, kSummaryFile, kInfoFile, kArraysFile});
  } else {
    seconds.notices = staged.commit();
  }
  seconds.total = seconds_since(start);
  return seconds;
}

}  // namespace strider
