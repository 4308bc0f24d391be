#include "snapshots/checkpoint_extraction.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/exists.h"
#include "model/folder.h"
#include "snapshots/step_folder.h"
#include "train/checkpoint.h"
#include "train/start.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

// Checkpoints with a model in them, whoever wrote them, by step.
std::vector<CheckpointPlace> models_of(const fs::path& run) {
  std::vector<CheckpointPlace> places = checkpoints_by_step(run);
  std::erase_if(places, [](const CheckpointPlace& place) {
    const bool is_usual_name = place.folder.filename() == checkpoint_name(place.step);
    return place.step == 0 || !is_usual_name || !path_exists(place.folder / "config.json");
  });
  return places;
}

void check_run(const fs::path& run, const std::vector<CheckpointPlace>& places) {
  if (!is_folder(run)) {
    throw Error("There is no such folder of a run",
                {.file = run.string(), .place = {}, .advice = "--model_dir names the run's folder, its OUTPUT_DIR."});
  }
  if (!places.empty()) return;
  const bool is_model = path_exists(run / "config.json");
  throw Error(is_model ? "This is the folder of a model, not of a run" : "This run has no checkpoints",
              {.file = run.string(),
               .place = {},
               .advice = is_model ? "With --checkpoints, --model_dir names the run's folder, its OUTPUT_DIR."
                                  : "SAVE_STEPS and SAVE_TOTAL_LIMIT=all keep more of them while a run trains."});
}

// What the run began with: its settings, in a checkpoint, say how it is drawn. Nothing, and a notice, where they do
// not.
std::optional<std::vector<float>> first_weights(const fs::path& checkpoint, const LlamaConfig& config,
                                                const ParameterLayout& layout, Notices& notices) {
  if (!path_exists(checkpoint / "strider_state.json")) {
    notices.add("Step 0 is left out: the checkpoints are not Strider's, and do not say how the weights were drawn.");
    return std::nullopt;
  }
  const nlohmann::json recorded = checkpoint_settings(checkpoint);
  if (recorded.contains("initial_weights")) {
    notices.add("Step 0 is left out: the run began with the weights of INIT_FROM, which its checkpoints do not name.");
    return std::nullopt;
  }
  TrainingSettings settings;
  settings.seed = recorded.at("seed").get<std::uint64_t>();
  const bool is_zero = recorded.value("output_projections", "") == name_of(OutputProjections::kZero);
  settings.output_projections = is_zero ? OutputProjections::kZero : OutputProjections::kTorch;
  return initial_weights(settings, config, layout);
}

// A model folder, read.
struct ReadModel {
  LlamaConfig config;
  std::vector<std::int32_t> ids;
  std::vector<std::string> texts;
  std::vector<IdRange> never_seen;
  std::vector<float> weights;
};

// Nothing, and a notice, where it is damaged.
std::optional<ReadModel> read_model(const fs::path& folder, Notices& notices) {
  try {
    if (path_exists(folder / "strider_state.json")) check_checkpoint(folder);
    ReadModel model;
    model.config = read_config(folder / "config.json");
    const std::vector<std::int64_t> ids = read_token_ids(folder, model.config.vocab_size, &model.texts);
    model.ids.assign(ids.begin(), ids.end());
    model.never_seen = read_never_seen(folder).value_or(std::vector<IdRange>());
    const ParameterLayout layout(model.config);
    model.weights.resize(static_cast<std::size_t>(layout.total()));
    read_weights(folder, layout, model.weights, Head::kOptional);
    return model;
  } catch (const Error& error) {
    notices.add(fmt::format("{} is left out: {}", folder.filename().string(), error.what()));
    return std::nullopt;
  }
}

}  // namespace

ExtractedSteps extract_checkpoints(const CheckpointExtraction& settings,
                                   const std::function<void(std::int64_t step, bool is_new)>& on_step) {
  const std::vector<CheckpointPlace> places = models_of(settings.run);
  check_run(settings.run, places);
  ExtractedSteps extracted;
  extracted.folder = settings.output.empty() ? settings.run / kStepsFolder : settings.output;
  static_cast<void>(parse_representations(settings.representations));  // before anything is removed
  if (settings.overwrite) extracted.notices.add(remove_steps(extracted.folder));
  StepFolder folder(extracted.folder, settings.representations, settings.threads);

  const auto add = [&](std::int64_t step, const ReadModel& model, std::span<const float> weights) {
    const bool is_new = folder.add({.step = step,
                                    .config = model.config,
                                    .token_ids = model.ids,
                                    .token_texts = model.texts,
                                    .never_seen = model.never_seen,
                                    .parameters = weights});
    extracted.written += is_new ? 1 : 0;
    on_step(step, is_new);
  };
  bool is_first = true;
  for (const CheckpointPlace& place : places) {
    const std::optional<ReadModel> model = read_model(place.folder, extracted.notices);
    if (!model) continue;
    if (std::exchange(is_first, false)) {
      const auto first = first_weights(place.folder, model->config, ParameterLayout(model->config), extracted.notices);
      if (first) add(0, *model, *first);
    }
    add(place.step, *model, model->weights);
  }
  for (const StepEntry& entry : folder.steps()) extracted.steps.push_back(entry.step);
  extracted.notices.add(folder.notices());
  return extracted;
}

}  // namespace strider
