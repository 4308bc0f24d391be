#include "extract/extract.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/clock.h"
#include "base/error.h"
#include "engine/choose_device.h"
#include "engine/engine.h"
#include "extract/context_states.h"
#include "extract/output.h"
#include "extract/pieces_ahead.h"
#include "extract/work.h"
#include "io/atomic_file.h"
#include "io/npz.h"
#include "model/folder.h"
#include "model/parameters.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

bool is_computed(const ExtractPlan& plan, const TokenArray& array) {
  return std::ranges::find(plan.computed, array.name, &TokenArray::name) != plan.computed.end();
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
    if (is_computed(plan_, array)) {
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

/// Each token alone. Returns the seconds of arithmetic.
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

// An archive of all arrays, each [tokens, ...inner, width]: computed ones as `computed` gives them, the others from the
// file of that name that was there before.
void write_rows(
    const ExtractPlan& plan, const fs::path& file, const std::vector<std::int64_t>& inner, std::int64_t rows_at_once,
    const std::function<void(const TokenArray&)>& on_array,
    const std::function<std::span<const float>(const TokenArray&, std::int64_t first, std::int64_t count)>& computed) {
  const auto tokens = static_cast<std::int64_t>(plan.token_ids.size());
  std::vector<NpzArray> arrays;
  std::vector<float> piece;  // of a kept array
  std::optional<NpzFloatReader> kept;
  for (const TokenArray& array : plan.arrays) {
    std::vector<std::int64_t> shape = {tokens};
    shape.insert(shape.end(), inner.begin(), inner.end());
    shape.push_back(array.width);
    std::int64_t row_floats = 1;
    for (std::size_t i = 1; i < shape.size(); ++i) row_floats *= shape[i];
    auto rows = [&, row_floats](std::int64_t first, std::int64_t count) -> std::span<const float> {
      if (first + count == tokens) on_array(array);
      if (is_computed(plan, array)) return computed(array, first, count);
      if (first == 0) kept.emplace(plan.settings.output_dir / file.filename(), array.name);
      piece.resize(static_cast<std::size_t>(count * row_floats));
      kept->read(piece);
      return piece;
    };
    arrays.push_back({array.name, std::move(shape), std::move(rows)});
  }
  write_npz(file, arrays, rows_at_once);
}

/// Each token in context: the means, and where the plan keeps them the single vectors. Returns the seconds of
/// arithmetic.
double write_context_arrays(const ExtractPlan& plan, Engine& engine, const fs::path& folder,
                            const ExtractListener& listener) {
  ContextStates states(plan, folder / "scratch");
  states.compute(engine, listener.on_walks);
  write_rows(plan, folder / kArraysFile, {}, kRowsAtOnce, listener.on_array,
             [&](const TokenArray& array, std::int64_t first, std::int64_t count) {
               return states.means(array, first, count);
             });
  if (!plan.keeps_raw) return states.seconds();
  std::vector<float> piece;
  write_rows(
      plan, folder / kRawFile, {plan.settings.upsample}, raw_rows_at_once(plan), [](const TokenArray&) {},
      [&](const TokenArray& array, std::int64_t first, std::int64_t count) -> std::span<const float> {
        piece.resize(static_cast<std::size_t>(count * plan.settings.upsample * array.width));
        states.read_singles(array, first, count, piece);
        return piece;
      });
  return states.seconds();
}

// Puts the staged files into a folder that was there before.
Notices move_beside_others(const ExtractPlan& plan, const fs::path& staged) {
  // A kill between two of them leaves files that fit: the arrays are what says that an extraction is there, and those
  // that are added to are all in the new file.
  const bool adds = plan.earlier == EarlierOutput::kLacksTypes;
  std::vector<std::string> files = {kMetadataFile, kSummaryFile, kInfoFile};
  std::vector<std::string> arrays = {kArraysFile};
  if (plan.keeps_raw) arrays.insert(arrays.begin(), kRawFile);
  files.insert(adds ? files.begin() : files.end(), arrays.begin(), arrays.end());
  // Single vectors that are replaced by none would pass for those of the new means.
  if (plan.settings.overwrite && !plan.keeps_raw) {
    std::error_code failed;
    fs::remove(plan.settings.output_dir / kRawFile, failed);
    if (failed) {
      throw system_error("cannot remove the earlier extraction's file", failed.value(),
                         {.file = (plan.settings.output_dir / kRawFile).string(), .place = {}, .advice = {}});
    }
  }
  return move_into_place(staged, plan.settings.output_dir, files);
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

ExtractSeconds extract(const ExtractPlan& plan, const ExtractListener& listener) {
  ExtractSeconds seconds;
  if (plan.earlier == EarlierOutput::kOther) refuse_other(plan);
  if (plan.earlier == EarlierOutput::kComplete) return seconds;
  const Clock::time_point start = Clock::now();
  const std::unique_ptr<Engine> engine = make_engine_on(plan.device, plan.config, engine_settings(plan));
  ModelFingerprint fingerprint;
  engine->load_parameters([&](std::span<float> values) {
    read_weights(plan.settings.model_dir, engine->layout(), values, Head::kOptional);
    fingerprint = fingerprint_of(plan.config, engine->layout(), values, plan.token_ids);
    fingerprint.precision = name_of(plan.settings.precision);
    fingerprint.contexts = context_fields(plan);
  });
  if (plan.earlier == EarlierOutput::kLacksTypes && fingerprint != plan.fingerprint) {
    throw Error("the model changed while its representations were extracted",
                {.file = plan.settings.model_dir.string(), .place = {}, .advice = "Run the same command again."});
  }
  if (plan.device == Device::kCuda) check_device(plan.config, engine_settings(plan), engine->parameters());
  seconds.load = seconds_since(start);

  const fs::path& folder = plan.settings.output_dir;
  const bool beside_others = fs::is_directory(folder);
  AtomicFolder staged(beside_others ? staged_beside_others(folder) : folder);
  seconds.forward = plan.contexts == nullptr
                        ? write_arrays(plan, *engine, staged.path() / kArraysFile, listener.on_array)
                        : write_context_arrays(plan, *engine, staged.path(), listener);
  write_file_atomically(staged.path() / kMetadataFile,
                        metadata_json(plan.token_ids, plan.token_texts, plan.never_seen));
  write_file_atomically(staged.path() / kSummaryFile, summary_json(plan));
  const auto raw_entries = plan.keeps_raw ? read_npz_entries(staged.path() / kRawFile) : std::vector<NpzEntry>();
  write_file_atomically(staged.path() / kInfoFile,
                        info_json(plan, fingerprint, read_npz_entries(staged.path() / kArraysFile), raw_entries));
  if (beside_others) {
    seconds.notices = move_beside_others(plan, staged.path());
  } else {
    seconds.notices = staged.commit();
  }
  seconds.total = seconds_since(start);
  return seconds;
}

}  // namespace strider
