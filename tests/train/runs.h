#pragma once
// Whole runs for tests: the settings of the golden ones, a listener that keeps what it hears and can ask for a stop.
#include <gtest/gtest.h>

#include <csignal>

#include "base/error.h"
#include "golden.h"
#include "model/folder.h"
#include "train/checkpoint.h"
#include "train/trainer.h"

namespace strider::test {

using nlohmann::json;

struct Recorder : RunListener {
  std::vector<StepDone> steps;
  std::vector<std::vector<float>> micro_batch_losses;  // of each step
  std::vector<std::vector<std::int64_t>> walk_ids;     // of each step
  std::vector<std::string> notices;
  std::vector<std::string> checkpoints;
  std::vector<Logged> logs;
  RunEnded ended;
  TrainingSignals signals;
  std::int64_t stop_after = 0;        // the step after which SIGTERM comes; 0: never
  std::int64_t checkpoint_after = 0;  // the same for SIGUSR1
  void on_step(const StepDone& facts) override {
    steps.push_back(facts);
    micro_batch_losses.emplace_back(facts.micro_batch_losses.begin(), facts.micro_batch_losses.end());
    walk_ids.emplace_back(facts.walk_ids.begin(), facts.walk_ids.end());
    if (facts.step == stop_after) signals.stop = SIGTERM;
    if (facts.step == checkpoint_after) signals.checkpoint = true;
  }
  void on_checkpoint(const CheckpointWritten& event) override {
    checkpoints.push_back(std::filesystem::path(event.folder).filename().string());
  }
  void on_notice(const std::string& text) override { notices.push_back(text); }
  void on_log(const Logged& event) override { logs.push_back(event); }
  void on_end(const RunEnded& event) override { ended = event; }
};

inline TrainingOutcome run(const TrainingSettings& settings, Recorder& recorder) {
  return train(settings, recorder, recorder.signals);
}

inline TrainingOutcome run(const TrainingSettings& settings, std::int64_t stop_after = 0) {
  Recorder recorder;
  recorder.stop_after = stop_after;
  return run(settings, recorder);
}

/// What a run says that is refused; "accepted" when it is not.
inline std::string refusal(const TrainingSettings& settings) {
  try {
    run(settings, 1);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

inline TrainingSettings golden_settings(const std::string& name, const std::filesystem::path& output) {
  const json facts = golden_json(name + "/facts.json");
  TrainingSettings settings;
  settings.dataset_dir = golden(name) / "dataset";
  settings.config = golden(name) / "init/config.json";
  settings.output_dir = output;
  settings.epochs = facts["epochs"];
  settings.batch_size = facts["batch_size"];
  settings.gradient_accumulation_steps = facts["gradient_accumulation_steps"];
  settings.max_length = facts["max_length"];
  settings.eval_steps = facts["eval_steps"];
  settings.save_steps = facts["save_steps"];
  settings.logging_steps = 1;
  settings.loss_denominator = LossDenominator::kLabels;
  settings.threads = 2;
  settings.device = Device::kCpu;
  return settings;
}

inline std::vector<float> weights_of(const std::filesystem::path& folder) {
  const ParameterLayout layout(read_config(folder / "config.json"));
  std::vector<float> values(static_cast<std::size_t>(layout.total()));
  read_weights(folder, layout, values);
  return values;
}

inline json log_of(const std::filesystem::path& output) {
  return json::parse(read_text(output / "trainer_state.json"))["log_history"];
}

// Without the entries with times, which no two runs share.
inline json without_times(json log) {
  for (json& entry : log) {
    for (const char* name : {"eval_runtime", "eval_samples_per_second", "eval_steps_per_second", "train_runtime",
                             "train_samples_per_second", "train_steps_per_second"}) {
      entry.erase(name);
    }
  }
  return log;
}

inline std::vector<std::string> checkpoints_of(const std::filesystem::path& output) {
  std::vector<std::string> names;
  for (const CheckpointPlace& place : list_checkpoints(output)) names.push_back(place.folder.filename().string());
  return names;
}

}  // namespace strider::test
