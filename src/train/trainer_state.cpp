#include "train/trainer_state.h"

#include <bit>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/json.h"

namespace strider {
namespace {

using nlohmann::json;

json entry_json(const LogEntry& entry) {
  json object = json::object();
  for (const auto& [name, value] : entry.values) object[name] = value;
  object["step"] = entry.step;
  return object;
}

LogEntry read_entry(const json& object, const std::filesystem::path& file) {
  LogEntry entry;
  entry.step = json_integer(object, "step", file);
  for (const auto& [name, value] : object.items()) {
    if (name != "step") entry.values.emplace_back(name, json_number(object, name, file));
  }
  return entry;
}

// The folder's name leads to weights, so it must not lead out of the run's own folder.
BestCheckpoint read_best(const json& best, const std::filesystem::path& file) {
  BestCheckpoint read{json_string(best, "name", file), json_number(best, "loss", file),
                      json_number(best, "loss_per_prediction", file)};
  const std::string_view name = read.name;
  constexpr std::string_view kPrefix = "checkpoint-";
  if (!name.starts_with(kPrefix) || name.find_first_not_of("0123456789", kPrefix.size()) != std::string_view::npos) {
    throw Error("the best checkpoint's name is none", {.file = file.string(), .place = read.name, .advice = {}});
  }
  return read;
}

}  // namespace

std::int64_t last_step(const TrainerState& state, const StepPlan& plan) {
  return state.planned_steps > 0 ? state.planned_steps : plan.max_steps;
}

bool is_at_end(const TrainerState& state, const StepPlan& plan) {
  return state.global_step >= last_step(state, plan) || !state.ended_by.empty();
}

std::string trainer_state_json(const TrainerState& state, const TrainingSettings& settings, const StepPlan& plan) {
  json log = json::array();
  for (const LogEntry& entry : state.log_history) log.push_back(entry_json(entry));
  const json control = {{"args",
                         {{"should_epoch_stop", false},
                          {"should_evaluate", false},
                          {"should_log", false},
                          {"should_save", true},
                          {"should_training_stop", is_at_end(state, plan)}}},
                        {"attributes", json::object()}};
  const json best = state.best_checkpoint ? json((settings.output_dir / state.best_checkpoint->name).string()) : json();
  const json object = {
      {"best_global_step", state.best_metric ? json(state.best_global_step) : json(nullptr)},
      {"best_metric", state.best_metric ? json(*state.best_metric) : json(nullptr)},
      {"best_model_checkpoint", best},
      {"epoch", state.epoch},
      {"eval_steps", settings.eval_steps},
      {"global_step", state.global_step},
      {"is_hyper_param_search", false},
      {"is_local_process_zero", true},
      {"is_world_process_zero", true},
      {"log_history", log},
      {"logging_steps", settings.logging_steps},
      {"max_steps", last_step(state, plan)},
      {"num_input_tokens_seen", 0},
      {"num_train_epochs", plan.epochs},
      {"save_steps", settings.save_steps},
      {"stateful_callbacks", {{"TrainerControl", control}}},
      {"total_flos", state.total_flos},
      {"train_batch_size", settings.batch_size},
      {"trial_name", nullptr},
      {"trial_params", nullptr},
  };
  // A path may hold bytes that are no UTF-8, JSON may not.
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

nlohmann::json exact_state(const TrainerState& state) {
  json best;
  if (state.best_checkpoint) {
    best = {{"name", state.best_checkpoint->name},
            {"loss", state.best_checkpoint->loss},
            {"loss_per_prediction", state.best_checkpoint->loss_per_prediction}};
  }
  json exact = {
      {"global_step", state.global_step},
      {"best_checkpoint", best},
      {"loss_since_log_bits", std::bit_cast<std::uint32_t>(state.loss_since_log)},
      {"loss_total_bits", std::bit_cast<std::uint64_t>(state.loss_total)},
      {"last_logged_step", state.last_logged_step},
      {"seconds", state.seconds},
  };
  if (state.prediction_loss_since_log) {
    exact["prediction_loss_since_log_bits"] = std::bit_cast<std::uint64_t>(*state.prediction_loss_since_log);
  }
  if (state.tokens) exact["tokens"] = *state.tokens;
  if (!state.vectors.empty()) exact["vectors"] = state.vectors;
  if (state.evaluation_pending) exact["evaluation_pending"] = true;
  if (state.planned_steps > 0) exact["planned_steps"] = state.planned_steps;
  if (!state.ended_by.empty()) exact["ended_by"] = state.ended_by;
  if (state.averaged_steps > 0) exact["averaged_steps"] = state.averaged_steps;
  return exact;
}

TrainerState read_state(const std::filesystem::path& trainer_state_file, const json& exact,
                        const std::filesystem::path& exact_state_file) {
  const json parsed = read_json(trainer_state_file);
  TrainerState state;
  state.global_step = json_integer(parsed, "global_step", trainer_state_file);
  if (json_integer(exact, "global_step", exact_state_file) != state.global_step) {
    throw Error("the checkpoint's files belong to different steps",
                {.file = exact_state_file.string(), .place = "global_step", .advice = {}});
  }
  state.epoch = json_number(parsed, "epoch", trainer_state_file);
  if (!parsed.contains("log_history") || !parsed["log_history"].is_array()) {
    throw Error("the list log_history is missing", {.file = trainer_state_file.string(), .place = {}, .advice = {}});
  }
  for (const json& entry : parsed["log_history"]) state.log_history.push_back(read_entry(entry, trainer_state_file));
  if (parsed.contains("best_metric") && !parsed["best_metric"].is_null()) {
    state.best_metric = json_number(parsed, "best_metric", trainer_state_file);
    state.best_global_step = json_integer(parsed, "best_global_step", trainer_state_file);
  }
  state.total_flos = json_number(parsed, "total_flos", trainer_state_file);
  if (exact.contains("best_checkpoint") && !exact["best_checkpoint"].is_null()) {
    state.best_checkpoint = read_best(exact["best_checkpoint"], exact_state_file);
  }
  state.loss_since_log =
      std::bit_cast<float>(static_cast<std::uint32_t>(json_integer(exact, "loss_since_log_bits", exact_state_file)));
  state.loss_total =
      std::bit_cast<double>(static_cast<std::uint64_t>(json_integer(exact, "loss_total_bits", exact_state_file)));
  state.last_logged_step = json_integer(exact, "last_logged_step", exact_state_file);
  if (state.last_logged_step < 0 || state.last_logged_step > state.global_step) {
    throw Error("the last log entry is not of one of the steps before the checkpoint",
                {.file = exact_state_file.string(), .place = "last_logged_step", .advice = {}});
  }
  state.seconds = json_number(exact, "seconds", exact_state_file);
  state.prediction_loss_since_log.reset();
  state.tokens.reset();
  if (exact.contains("prediction_loss_since_log_bits")) {
    state.prediction_loss_since_log = std::bit_cast<double>(
        static_cast<std::uint64_t>(json_integer(exact, "prediction_loss_since_log_bits", exact_state_file)));
  }
  if (exact.contains("vectors")) state.vectors = json_string(exact, "vectors", exact_state_file);
  if (exact.contains("tokens")) state.tokens = json_integer(exact, "tokens", exact_state_file);
  if (exact.contains("evaluation_pending")) {
    state.evaluation_pending = json_boolean(exact, "evaluation_pending", exact_state_file);
  }
  if (exact.contains("planned_steps")) state.planned_steps = json_integer(exact, "planned_steps", exact_state_file);
  if (exact.contains("ended_by")) state.ended_by = json_string(exact, "ended_by", exact_state_file);
  if (exact.contains("averaged_steps")) {
    state.averaged_steps = json_integer(exact, "averaged_steps", exact_state_file);
    if (state.averaged_steps < 1 || state.averaged_steps > state.global_step) {
      throw Error("the mean of the weights has more of them than there were steps, or none",
                  {.file = exact_state_file.string(), .place = "averaged_steps", .advice = {}});
    }
  }
  return state;
}

}  // namespace strider
