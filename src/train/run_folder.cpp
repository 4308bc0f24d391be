#include "train/run_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/exists.h"
#include "base/shell_word.h"
#include "io/atomic_file.h"
#include "io/json.h"
#include "train/fingerprint.h"

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

[[noreturn]] void refuse_foreign(const fs::path& output_dir, const std::string& name) {
  throw Error(fmt::format("{} was not written by Strider", name),
              {.file = output_dir.string(),
               .place = {},
               .advice = "Choose another OUTPUT_DIR or RUN_NAME, or move that folder away."});
}

Error other_settings(const FingerprintDifferences& found, const fs::path& output_dir, const std::string& place) {
  const std::string advice =
      found.can_be_continued
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
  if (result.contains("averaged_steps")) run.averaged_steps = json_integer(result, "averaged_steps", file);
  if (result.contains("best_checkpoint")) {  // whose losses are those of final_model unless that is a mean
    const std::string loss = run.averaged_steps > 0 ? "best_eval_loss" : "eval_loss";
    run.best = BestCheckpoint{json_string(result, "best_checkpoint", file), json_number(result, loss, file),
                              json_number(result, loss + "_per_prediction", file)};
  }
  if (result.contains("eval_loss")) {
    run.final_loss =
        EvaluationLoss{json_number(result, "eval_loss", file), json_number(result, "eval_loss_per_prediction", file)};
  }
  return run;
}

bool says_finished(const fs::path& output_dir) {
  return path_exists(output_dir / kRunFile) && path_exists(output_dir / kFinalModel / "model.safetensors");
}

// The weights that final_model will be made of must be whole before more steps are spent on the run. Only when a newer
// checkpoint is passed over may they be gone: it was better then, and will be when the run comes there again.
void check_best(const fs::path& output_dir, EarlierRun& run) {
  const std::optional<BestCheckpoint>& best = run.checkpoint->state.best_checkpoint;
  if (!best) return;
  if (!run.passed_over.empty() && !path_exists(output_dir / best->name)) {
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
                     std::span<const StateBuffer> optimizer_state, const json& fingerprint, bool continue_run,
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
    const FingerprintDifferences found = compare_fingerprints(earlier, fingerprint);
    if (!found.text.empty() && (!continue_run || !found.can_be_continued)) {
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

void refuse_foreign_folders(const fs::path& output_dir) {
  bool own = path_exists(output_dir / kRunFile) || removal_was_interrupted(output_dir);
  for (const fs::path& folder : checkpoint_folders(output_dir)) {
    if (!path_exists(folder / "strider_state.json")) refuse_foreign(output_dir, folder.filename().string());
    own = true;
  }
  if (!own && path_exists(output_dir / kFinalModel)) refuse_foreign(output_dir, kFinalModel);
}

std::optional<Precision> precision_of_earlier_run(const fs::path& output_dir) {
  const auto precision_in = [](const json& settings) {
    const std::string name = settings.value("precision", "");
    for (const Precision precision : {Precision::kBfloat16, Precision::kTf32}) {
      if (name == name_of(precision)) return precision;
    }
    return Precision::kFloat32;
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
                            std::span<const StateBuffer> optimizer_state, const json& fingerprint, bool continue_run) {
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
    const FingerprintDifferences found = compare_fingerprints(object["settings"], fingerprint);
    if (found.text.empty()) {
      run.finished = read_result(object["result"], output_dir / kRunFile);
      return run;
    }
    if (!continue_run || !found.can_be_continued) {
      run.obstacle = other_settings(found, output_dir, kRunFile);
      return run;
    }
  }
  find_checkpoint(output_dir, layout, optimizer_state, fingerprint, continue_run, run);
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
  return path_exists(output_dir / kRemovalMark);
}

Notices forget_finished_run(const fs::path& output_dir) {
  return remove_atomically(output_dir / kRunFile);
}

Notices write_finished_run(const fs::path& output_dir, const FinishedRun& run, const json& fingerprint) {
  json result = {{"steps", run.steps}, {"seconds", run.seconds}};
  if (run.best) {
    result["best_checkpoint"] = run.best->name;
  }
  if (run.averaged_steps > 0) {
    result["averaged_steps"] = run.averaged_steps;
    if (run.best) {
      result["best_eval_loss"] = run.best->loss;
      result["best_eval_loss_per_prediction"] = run.best->loss_per_prediction;
    }
  }
  if (run.final_loss) {
    result["eval_loss"] = run.final_loss->loss;
    result["eval_loss_per_prediction"] = run.final_loss->loss_per_prediction;
  }
  json object = {{"version", kRunFileVersion}, {"settings", fingerprint}, {"result", result}};
  object["crc32"] = json_checksum(object);
  return write_file_atomically(output_dir / kRunFile, object.dump(2) + "\n");
}

}  // namespace strider
