#include "train/checkpoint.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/exists.h"
#include "io/atomic_file.h"
#include "io/checksum.h"
#include "io/json.h"
#include "io/leftovers.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "model/folder.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kPrefix = "checkpoint-";
constexpr const char* kStateFile = "strider_state.json";
constexpr const char* kOptimizerFile = "optimizer.safetensors";
constexpr const char* kWeightSumsFile = "weight_sums.npy";
constexpr int kVersion = 1;

json read_state_file(const fs::path& folder) {
  const fs::path file = folder / kStateFile;
  json object = read_json(file);
  const std::int64_t version = json_integer(object, "version", file);
  if (version != kVersion) {
    throw Error(fmt::format("the checkpoint has version {}, this program reads version {}", version, kVersion),
                {.file = file.string(), .place = {}, .advice = "Go on with the program that wrote it, or start anew."});
  }
  if (json_integer(object, "crc32", file) != json_checksum(object)) {
    throw Error("a file of the checkpoint is damaged: its checksum is another",
                {.file = file.string(), .place = {}, .advice = {}});
  }
  for (const char* field : {"settings", "state", "files"}) {
    if (!object.contains(field) || !object[field].is_object()) {
      throw Error(fmt::format("the field \"{}\" is missing", field),
                  {.file = file.string(), .place = {}, .advice = {}});
    }
  }
  return object;
}

// Size and checksum of every file of a folder but strider_state.json itself.
json describe_files(const fs::path& folder) {
  json files = json::object();
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    files[entry.path().filename().string()] = {{"bytes", entry.file_size()}, {"crc32", crc32_of_file(entry.path())}};
  }
  return files;
}

void check_files(const fs::path& folder, const json& files) {
  for (const auto& [name, facts] : files.items()) {
    const fs::path file = folder / fs::path(name).filename();
    std::error_code status;
    const std::uintmax_t bytes = fs::file_size(file, status);
    const fs::path state_file = folder / kStateFile;
    if (status)
      throw system_error("a file of the checkpoint cannot be read", status.value(),
                         {.file = file.string(), .place = {}, .advice = {}});
    if (bytes != static_cast<std::uintmax_t>(json_integer(facts, "bytes", state_file))) {
      throw Error("a file of the checkpoint has another size than was written",
                  {.file = file.string(), .place = {}, .advice = {}});
    }
    if (crc32_of_file(file) != static_cast<std::uint32_t>(json_integer(facts, "crc32", state_file))) {
      throw Error("a file of the checkpoint is damaged: its checksum is another",
                  {.file = file.string(), .place = {}, .advice = {}});
    }
  }
}

std::vector<double> read_weight_sums(const fs::path& file, std::int64_t parameters) {
  NpyArray<double> array = read_npy<double>(file);
  if (array.shape != std::vector<std::int64_t>{parameters}) {
    throw Error("the sums of the weights are of another model", {.file = file.string(), .place = {}, .advice = {}});
  }
  return std::move(array.values);
}

// What AdamW's buffers were called in the files of versions that knew no other optimizer.
std::string earlier_name(const std::string& name) {
  if (name == "exp_avg") return "first_moments";
  if (name == "exp_avg_sq") return "second_moments";
  return name;
}

}  // namespace

std::string checkpoint_name(std::int64_t step) {
  return kPrefix + std::to_string(step);
}

std::vector<fs::path> checkpoint_folders(const fs::path& output_dir) {
  std::vector<fs::path> folders;
  if (!is_folder(output_dir)) return folders;
  std::error_code status;
  for (fs::directory_iterator entry(output_dir, status); !status && entry != fs::directory_iterator();
       entry.increment(status)) {
    std::error_code unknown;
    const bool is_folder = entry->is_directory(unknown);
    if (is_folder && entry->path().filename().string().starts_with(kPrefix)) folders.push_back(entry->path());
  }
  if (!status) return folders;
  throw system_error("the output folder cannot be listed, so that checkpoints in it cannot be found", status.value(),
                     {.file = output_dir.string(), .place = {}, .advice = "Choose an OUTPUT_DIR that you may read."});
}

std::vector<CheckpointPlace> checkpoints_by_step(const fs::path& output_dir) {
  std::vector<CheckpointPlace> places;
  for (const fs::path& folder : checkpoint_folders(output_dir)) {
    const std::string name = folder.filename().string();
    const char* const digits = name.data() + std::string(kPrefix).size();
    std::int64_t step = 0;
    const auto parsed = std::from_chars(digits, name.data() + name.size(), step);
    if (parsed.ec != std::errc() || parsed.ptr != name.data() + name.size() || step < 0) continue;
    places.push_back({folder, step});
  }
  std::sort(places.begin(), places.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  return places;
}

std::vector<CheckpointPlace> list_checkpoints(const fs::path& output_dir) {
  std::vector<CheckpointPlace> places = checkpoints_by_step(output_dir);
  std::erase_if(places, [](const CheckpointPlace& place) { return !path_exists(place.folder / kStateFile); });
  return places;
}

Notices write_checkpoint(const CheckpointOrigin& origin, const Checkpoint& checkpoint) {
  const TrainerState& state = checkpoint.state;
  AtomicFolder folder(origin.settings.output_dir / checkpoint_name(state.global_step));
  write_model(folder.path(), origin.config, origin.layout, checkpoint.parameters);
  write_companions(folder.path(), origin.companions, origin.config.vocab_size);
  std::vector<TensorToWrite> buffers;
  for (const NamedState& buffer : checkpoint.optimizer) {
    buffers.push_back({buffer.name, {static_cast<std::int64_t>(buffer.values.size())}, buffer.values.data()});
  }
  write_safetensors(folder.path() / kOptimizerFile, buffers,
                    {{"format", "strider"}, {"updates", std::to_string(state.global_step)}});
  if (state.averaged_steps > 0) {
    NpyWriter<double> sums(folder.path() / kWeightSumsFile, {origin.layout.total()});
    sums.write(checkpoint.weight_sums);
    static_cast<void>(sums.commit());  // what the filesystem could not do is said of the folder
  }
  write_file_atomically(folder.path() / "trainer_state.json", trainer_state_json(state, origin.settings, origin.plan));
  json own = {{"version", kVersion},
              {"settings", origin.fingerprint},
              {"state", exact_state(state)},
              {"files", describe_files(folder.path())}};
  own["crc32"] = json_checksum(own);
  write_file_atomically(folder.path() / kStateFile, own.dump(2) + "\n");
  return folder.commit();
}

json checkpoint_settings(const fs::path& folder) {
  return read_state_file(folder)["settings"];
}

void check_checkpoint(const fs::path& folder) {
  check_files(folder, read_state_file(folder)["files"]);
}

Checkpoint read_checkpoint(const fs::path& folder, const ParameterLayout& layout,
                           std::span<const StateBuffer> expected) {
  const json own = read_state_file(folder);
  check_files(folder, own["files"]);
  Checkpoint checkpoint;
  checkpoint.state = read_state(folder / "trainer_state.json", own["state"], folder / kStateFile);
  const auto total = static_cast<std::size_t>(layout.total());
  checkpoint.parameters.resize(total);
  read_weights(folder, layout, checkpoint.parameters);
  const SafetensorsFile optimizer(folder / kOptimizerFile);
  for (const StateBuffer& buffer : expected) {
    const TensorEntry* entry = optimizer.find(buffer.name);
    if (entry == nullptr) entry = optimizer.find(earlier_name(buffer.name));
    if (entry == nullptr || entry->elements() != buffer.floats) {
      throw Error(fmt::format("the optimizer's {} is missing or of another model", buffer.name),
                  {.file = (folder / kOptimizerFile).string(), .place = {}, .advice = {}});
    }
    NamedState& state = checkpoint.optimizer.emplace_back();
    state.name = buffer.name;
    state.values.resize(static_cast<std::size_t>(buffer.floats));
    optimizer.read(*entry, state.values);
  }
  if (checkpoint.state.averaged_steps > 0) {
    checkpoint.weight_sums = read_weight_sums(folder / kWeightSumsFile, layout.total());
  }
  return checkpoint;
}

RotationRule rotation_rule(const TrainingSettings& settings, const StepPlan& plan) {
  return {settings.save_total_limit, settings.save_steps, plan.max_steps};
}

std::vector<std::int64_t> checkpoints_to_remove(const std::vector<std::int64_t>& steps, std::int64_t newest,
                                                std::int64_t best, const RotationRule& rule) {
  std::vector<std::int64_t> removed;
  if (rule.limit == 0) return removed;
  const auto scheduled = [&](std::int64_t step) { return step % rule.save_steps == 0 || step == rule.max_steps; };
  std::vector<std::int64_t> kept;
  for (const std::int64_t step : steps) {
    if (step > newest) continue;
    if (scheduled(step)) {
      kept.push_back(step);
    } else if (step != newest) {
      removed.push_back(step);
    }
  }
  auto left = static_cast<std::int64_t>(kept.size());
  for (const std::int64_t step : kept) {
    if (left <= rule.limit) break;
    if (step == newest || step == best) continue;
    removed.push_back(step);
    --left;
  }
  return removed;
}

Notices rotate_checkpoints(const fs::path& output_dir, const TrainerState& state, const RotationRule& rule) {
  Notices notices;
  // This process writes no checkpoint now, so that those of its leftovers are of removals.
  for (const Leftover& leftover : find_leftovers(output_dir)) {
    const bool done_with = leftover.process == getpid() || is_abandoned(leftover);
    if (leftover.name.starts_with(kPrefix) && done_with) notices.add(remove_leftover(leftover));
  }
  std::vector<CheckpointPlace> places;
  try {
    places = list_checkpoints(output_dir);
  } catch (const Error& error) {
    notices.add(fmt::format("Old checkpoints stay for now: {}. Removing them is tried again later.", error.message()));
  }
  std::vector<std::int64_t> steps;
  std::int64_t best = 0;
  for (const CheckpointPlace& place : places) {
    steps.push_back(place.step);
    if (state.best_checkpoint && checkpoint_name(place.step) == state.best_checkpoint->name) best = place.step;
  }
  for (const std::int64_t step : checkpoints_to_remove(steps, state.global_step, best, rule)) {
    const fs::path folder = output_dir / checkpoint_name(step);
    try {
      notices.add(remove_atomically(folder));
    } catch (const Error& error) {
      notices.add(
          fmt::format("{} stays for now: {}. Removing it is tried again later.", folder.string(), error.message()));
    }
  }
  return notices;
}

}  // namespace strider
