#include "train/run_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/shell_word.h"
#include "io/atomic_file.h"
#include "io/checksum.h"
#include "io/json.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kRunFile = "strider_run.json";
constexpr const char* kLogFile = "trainer_state.json";
constexpr const char* kRemovalMark = ".strider.overwriting";
constexpr const char* kFinalModel = "final_model";
constexpr int kRunFileVersion = 2;
// Of a continued run: not a setting of the user's, but what its interrupted sittings have in common.
constexpr const char* kScheduleStart = "schedule_start";

// Of the ids of a split, walk by walk: what makes it the same data wherever it lies.
json fingerprint(const WalkSplit& split, std::int64_t max_length) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(max_length));
  std::uint32_t sum = 0;
  for (std::int64_t walk = 0; walk < split.size(); ++walk) {
    const std::size_t count = split.read(walk, ids);
    sum = crc32_of(std::as_bytes(std::span(ids.data(), count)), sum);
    if (walk % kWalksBetweenReleases == 0) split.release_pages();
  }
  split.release_pages();
  return fmt::format("{} walks, {} tokens, crc32 {:08x}", split.size(), split.tokens(max_length), sum);
}

// What runs did that were made before a setting existed.
json setting_before_there_was_a_choice(const std::string& name) {
  if (name == "precision") return name_of(Precision::kFloat32);
  if (name == "optimizer") return "adamw";
  if (name == "momentum") return TrainingSettings().momentum;
  if (name == "final_evaluation") return false;
  return "absent";
}

// Settings by which a run may be continued: they say how long it goes and how large its updates are, not what it learns
// from, and which walks a step takes does not depend on them.
constexpr std::array kSchedule = {"epochs",       "max_steps",     "learning_rate", "lr_scheduler", "warmup_steps",
                                  "weight_decay", "max_grad_norm", "eval_steps",    "save_steps",   "final_evaluation"};

struct Differences {
  std::string text;         // empty: none
  bool in_schedule = true;  // all of them
};

Differences differences(const json& earlier, const json& now) {
  Differences found;
  for (const auto& [name, value] : now.items()) {
    const json before = earlier.contains(name) ? earlier[name] : setting_before_there_was_a_choice(name);
    if (before == value) continue;
    if (!found.text.empty()) found.text += "; ";
    found.text += fmt::format("{} was {}, now {}", name, before.dump(), value.dump());
    if (std::ranges::find(kSchedule, name) == kSchedule.end()) found.in_schedule = false;
  }
  return found;
}

bool present(const fs::path& path) {
  std::error_code status;
  return fs::exists(path, status);
}

[[noreturn]] void refuse_foreign(const fs::path& output_dir, const std::string& name) {
  throw Error(fmt::format("{} was not written by Strider", name),
              {.file = output_dir.string(),
               .place = {},
               .advice = "Choose another OUTPUT_DIR or RUN_NAME, or move that folder away."});
}

void refuse_foreign_folders(const fs::path& output_dir) {
  bool own = present(output_dir / kRunFile) || removal_was_interrupted(output_dir);
  for (const fs::path& folder : checkpoint_folders(output_dir)) {
    if (!present(folder / "strider_state.json")) refuse_foreign(output_dir, folder.filename().string());
    own = true;
  }
  if (!own && present(output_dir / kFinalModel)) refuse_foreign(output_dir, kFinalModel);
}

Error other_settings(const Differences& found, const fs::path& output_dir, const std::string& place) {
  const std::string advice =
      found.in_schedule
          ? fmt::format(
                "CONTINUE=true goes on from its newest checkpoint with these; another OUTPUT_DIR with INIT_FROM={} "
                "is a new run from its weights; OVERWRITE=true replaces it.",
                shell_word((output_dir / kFinalModel).string()))
          : std::string(
                "Use its settings to go on, another OUTPUT_DIR or RUN_NAME for a new run, or OVERWRITE=true to "
                "replace it.");
  return Error(fmt::format("the output folder has a run with other settings: {}", found.text),
               {.file = output_dir.string(), .place = place, .advice = advice});
}

// Whole, or an Error with one advice for whatever is wrong: nothing but this file says that the run is finished.
json read_run_file(const fs::path& file) {
  std::string place;
  std::string reason;
  try {
    json object = read_json(file);
    const std::int64_t version = json_integer(object, "version", file);
    const bool is_of_version = version == kRunFileVersion || (version == 1 && !object.contains("crc32"));
    if (!is_of_version) {
      reason = fmt::format("version {} is none that this program reads", version);
    } else if (version == kRunFileVersion && json_integer(object, "crc32", file) != json_checksum(object)) {
      reason = "its checksum is another";
    } else if (!object.value("settings", json()).is_object() || !object.value("result", json()).is_object()) {
      reason = "a field is missing";
    } else {
      return object;
    }
  } catch (const Error& error) {
    reason = error.message();
    place = error.details().place;
  }
  throw Error("what says that the run is finished is damaged: " + reason,
              {.file = file.string(),
               .place = place,
               .advice = "Remove that file, and the same command ends the run again from its newest checkpoint; "
                         "OVERWRITE=true starts it anew."});
}

FinishedRun read_result(const json& result, const fs::path& file) {
  FinishedRun run{.steps = json_integer(result, "steps", file), .seconds = json_number(result, "seconds", file)};
  if (result.contains("best_checkpoint")) {
    run.best = BestCheckpoint{json_string(result, "best_checkpoint", file), json_number(result, "eval_loss", file),
                              json_number(result, "eval_loss_per_prediction", file)};
  }
  if (result.contains("eval_loss")) {
    run.final_loss =
        EvaluationLoss{json_number(result, "eval_loss", file), json_number(result, "eval_loss_per_prediction", file)};
  }
  return run;
}

bool says_finished(const fs::path& output_dir) {
  return present(output_dir / kRunFile) && present(output_dir / kFinalModel / "model.safetensors");
}

// The weights that final_model will be made of must be whole before more steps are spent on the run. Only when a newer
// checkpoint is passed over may they be gone: it was better then, and will be when the run comes there again.
void check_best(const fs::path& output_dir, EarlierRun& run) {
  const std::optional<BestCheckpoint>& best = run.checkpoint->state.best_checkpoint;
  if (!best) return;
  if (!run.passed_over.empty() && !present(output_dir / best->name)) {
    run.passed_over.push_back(fmt::format("{} had been removed for a better one, which is made again", best->name));
    return;
  }
  try {
    check_checkpoint(output_dir / best->name);
  } catch (const Error& error) {
    run.obstacle = Error(fmt::format("the checkpoint with the lowest evaluation loss is damaged; {}", error.message()),
                         {.file = error.details().file,
                          .place = error.details().place,
                          .advice = "OVERWRITE=true starts the run anew."});
  }
}

// The newest good checkpoint that the run may go on from.
void find_checkpoint(const fs::path& output_dir, const ParameterLayout& layout,
                     std::span<const StateBuffer> optimizer_state, const json& shaping, bool continue_run,
                     EarlierRun& run) {
  const std::vector<CheckpointPlace> places = list_checkpoints(output_dir);
  for (auto place = places.rbegin(); place != places.rend() && !run.checkpoint; ++place) {
    run.name = place->folder.filename().string();
    const auto passes = [&](const auto& read) {
      try {
        read();
        return true;
      } catch (const Error& error) {
        run.passed_over.push_back(fmt::format("{} is damaged and passed over: {}", run.name, error.what()));
        return false;
      }
    };
    json earlier;
    if (!passes([&] { earlier = checkpoint_settings(place->folder); })) continue;
    const Differences found = differences(earlier, shaping);
    if (!found.text.empty() && (!continue_run || !found.in_schedule)) {
      run.obstacle = other_settings(found, output_dir, run.name);
      return;
    }
    if (!passes([&] { run.checkpoint = read_checkpoint(place->folder, layout, optimizer_state); })) continue;
    run.continued = found.text;
    run.schedule_start = found.text.empty() ? earlier.value(kScheduleStart, std::int64_t{0}) : place->step;
  }
  if (!places.empty() && !run.checkpoint) {
    run.obstacle = Error(fmt::format("no checkpoint can be read; {}", run.passed_over.back()),
                         {.file = output_dir.string(), .place = {}, .advice = "OVERWRITE=true starts the run anew."});
  }
}

}  // namespace

json shaping_settings(const TrainingSettings& s, const LlamaConfig& config, const WalkDataset& dataset,
                      std::span<const float> initial) {
  json object = {
      {"epochs", s.epochs == std::floor(s.epochs) ? json(static_cast<std::int64_t>(s.epochs)) : json(s.epochs)},
      {"batch_size", s.batch_size},
      {"gradient_accumulation_steps", s.gradient_accumulation_steps},
      {"learning_rate", s.learning_rate},
      {"max_length", s.max_length},
      {"save_steps", s.save_steps},
      {"eval_steps", s.eval_steps},
      {"final_evaluation", s.final_evaluation},
      {"seed", s.seed},
      {"max_steps", s.max_steps},
      {"warmup_steps", s.warmup_steps},
      {"optimizer", s.optimizer},
      {"momentum", s.momentum},
      {"weight_decay", s.weight_decay},
      {"max_grad_norm", s.max_grad_norm},
      {"lr_scheduler", name_of(s.lr_scheduler)},
      {"loss_denominator", name_of(s.loss_denominator)},
      {"train_data", fingerprint(dataset.train, s.max_length)},
      {"validation_data", dataset.validation ? fingerprint(*dataset.validation, s.max_length) : json(nullptr)},
  };
  // Those that the seed draws follow from it, whatever the last bits of a processor's arithmetic.
  if (s.init_from) object["initial_weights"] = fmt::format("crc32 {:08x}", crc32_of(std::as_bytes(initial)));
  const json model = json::parse(config_json(config));
  for (const auto& [name, value] : model.items()) {
    if (!name.ends_with("_token_id")) object["config." + name] = value;
  }
  if (config.pad_token_id) object["config.pad_token_id"] = *config.pad_token_id;
  return object;
}

std::optional<Precision> precision_of_earlier_run(const fs::path& output_dir) {
  const auto precision_in = [](const json& settings) {
    return settings.value("precision", "") == name_of(Precision::kBfloat16) ? Precision::kBfloat16
                                                                            : Precision::kFloat32;
  };
  if (says_finished(output_dir)) {
    try {
      return precision_in(read_run_file(output_dir / kRunFile)["settings"]);
    } catch (const Error&) {
      return std::nullopt;  // find_earlier_run, which comes next, reports it
    }
  }
  const std::vector<CheckpointPlace> places = list_checkpoints(output_dir);
  for (auto place = places.rbegin(); place != places.rend(); ++place) {
    try {
      return precision_in(checkpoint_settings(place->folder));
    } catch (const Error&) {
      continue;  // find_earlier_run, which comes next, reports it
    }
  }
  return std::nullopt;
}

EarlierRun find_earlier_run(const fs::path& output_dir, const ParameterLayout& layout,
                            std::span<const StateBuffer> optimizer_state, const json& shaping, bool continue_run) {
  refuse_foreign_folders(output_dir);
  EarlierRun run;
  if (says_finished(output_dir)) {
    json object;
    try {
      object = read_run_file(output_dir / kRunFile);
    } catch (const Error& error) {
      run.obstacle = error;
      return run;
    }
    const Differences found = differences(object["settings"], shaping);
    if (found.text.empty()) {
      run.finished = read_result(object["result"], output_dir / kRunFile);
      return run;
    }
    if (!continue_run || !found.in_schedule) {
      run.obstacle = other_settings(found, output_dir, kRunFile);
      return run;
    }
  }
  find_checkpoint(output_dir, layout, optimizer_state, shaping, continue_run, run);
  if (run.checkpoint) check_best(output_dir, run);
  return run;
}

Notices remove_earlier_run(const fs::path& output_dir) {
  refuse_foreign_folders(output_dir);
  Notices notices = write_file_atomically(output_dir / kRemovalMark, "");
  for (const CheckpointPlace& place : list_checkpoints(output_dir)) notices.add(remove_atomically(place.folder));
  for (const char* name : {kFinalModel, kLogFile, kRunFile, kRemovalMark}) {
    notices.add(remove_atomically(output_dir / name));
  }
  return notices;
}

bool removal_was_interrupted(const fs::path& output_dir) {
  return present(output_dir / kRemovalMark);
}

Notices forget_finished_run(const fs::path& output_dir) {
  return remove_atomically(output_dir / kRunFile);
}

Notices write_finished_run(const fs::path& output_dir, const FinishedRun& run, const json& shaping) {
  json result = {{"steps", run.steps}, {"seconds", run.seconds}};
  if (run.best) {
    result["best_checkpoint"] = run.best->name;
  }
  if (run.final_loss) {
    result["eval_loss"] = run.final_loss->loss;
    result["eval_loss_per_prediction"] = run.final_loss->loss_per_prediction;
  }
  json object = {{"version", kRunFileVersion}, {"settings", shaping}, {"result", result}};
  object["crc32"] = json_checksum(object);
  return write_file_atomically(output_dir / kRunFile, object.dump(2) + "\n");
}

}  // namespace strider
