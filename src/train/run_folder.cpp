#include "train/run_folder.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/checksum.h"
#include "io/json.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Of the ids of a split, walk by walk: what makes it the same data wherever it lies.
json fingerprint(const WalkSplit& split, std::int64_t max_length) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(max_length));
  std::uint32_t sum = 0;
  for (std::int64_t walk = 0; walk < split.size(); ++walk) {
    const std::size_t count = split.read(walk, ids);
    sum = crc32_of(std::as_bytes(std::span(ids.data(), count)), sum);
  }
  return fmt::format("{} walks, {} tokens, crc32 {:08x}", split.size(), split.tokens(max_length), sum);
}

std::string differences(const json& earlier, const json& now) {
  std::string text;
  for (const auto& [name, value] : now.items()) {
    const json before = earlier.contains(name) ? earlier[name] : json("absent");
    if (before == value) continue;
    if (!text.empty()) text += "; ";
    text += fmt::format("{} was {}, now {}", name, before.dump(), value.dump());
  }
  return text;
}

void refuse_foreign_checkpoints(const fs::path& output_dir) {
  if (!fs::is_directory(output_dir)) return;
  for (const fs::directory_entry& entry : fs::directory_iterator(output_dir)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_directory() || !name.starts_with("checkpoint-") || fs::exists(entry.path() / "strider_state.json")) {
      continue;
    }
    throw Error(fmt::format("{} was not written by Strider", name),
                {.file = output_dir.string(),
                 .place = {},
                 .advice = "Choose another OUTPUT_DIR or RUN_NAME, or move that folder away."});
  }
}

}  // namespace

json shaping_settings(const TrainingSettings& s, const LlamaConfig& config, const WalkDataset& dataset,
                      std::span<const float> initial) {
  json object = {
      {"epochs", s.epochs},
      {"batch_size", s.batch_size},
      {"gradient_accumulation_steps", s.gradient_accumulation_steps},
      {"learning_rate", s.learning_rate},
      {"max_length", s.max_length},
      {"save_steps", s.save_steps},
      {"eval_steps", s.eval_steps},
      {"logging_steps", s.logging_steps},
      {"seed", s.seed},
      {"max_steps", s.max_steps},
      {"warmup_steps", s.warmup_steps},
      {"weight_decay", s.weight_decay},
      {"max_grad_norm", s.max_grad_norm},
      {"lr_scheduler", name_of(s.lr_scheduler)},
      {"loss_denominator", name_of(s.loss_denominator)},
      {"initial_weights", fmt::format("crc32 {:08x}", crc32_of(std::as_bytes(initial)))},
      {"train_data", fingerprint(dataset.train, s.max_length)},
      {"validation_data", dataset.validation ? fingerprint(*dataset.validation, s.max_length) : json(nullptr)},
  };
  const json model = json::parse(config_json(config));
  for (const auto& [name, value] : model.items()) object["config." + name] = value;
  return object;
}

EarlierRun find_earlier_run(const TrainingSettings& settings, const ParameterLayout& layout, const StepPlan& plan,
                            const json& shaping) {
  refuse_foreign_checkpoints(settings.output_dir);
  EarlierRun run;
  std::vector<CheckpointPlace> places = list_checkpoints(settings.output_dir);
  for (auto place = places.rbegin(); place != places.rend(); ++place) {
    json earlier;
    try {
      earlier = checkpoint_settings(place->folder);
    } catch (const Error& error) {
      run.passed_over.push_back(
          fmt::format("{} is damaged and passed over: {}", place->folder.filename().string(), error.what()));
      continue;
    }
    const std::string differing = differences(earlier, shaping);
    if (!differing.empty()) {
      throw Error(
          fmt::format("a run with other settings stands in the output folder: {}", differing),
          {.file = settings.output_dir.string(),
           .place = place->folder.filename().string(),
           .advice = "Use its settings to go on, another OUTPUT_DIR or RUN_NAME for a new run, or OVERWRITE=true to "
                     "replace it."});
    }
    try {
      run.checkpoint = read_checkpoint(place->folder, layout);
    } catch (const Error& error) {
      run.passed_over.push_back(
          fmt::format("{} is damaged and passed over: {}", place->folder.filename().string(), error.what()));
      continue;
    }
    run.name = place->folder.filename().string();
    break;
  }
  if (!places.empty() && !run.checkpoint) {
    throw Error(fmt::format("no checkpoint can be read; {}", run.passed_over.back()),
                {.file = settings.output_dir.string(), .place = {}, .advice = "OVERWRITE=true starts the run anew."});
  }
  run.finished = run.checkpoint && run.checkpoint->state.global_step >= plan.max_steps &&
                 fs::exists(settings.output_dir / "final_model" / "model.safetensors") &&
                 fs::exists(settings.output_dir / "trainer_state.json");
  return run;
}

void remove_earlier_run(const fs::path& output_dir) {
  refuse_foreign_checkpoints(output_dir);
  for (const CheckpointPlace& place : list_checkpoints(output_dir)) fs::remove_all(place.folder);
  fs::remove_all(output_dir / "final_model");
  fs::remove(output_dir / "trainer_state.json");
}

}  // namespace strider
