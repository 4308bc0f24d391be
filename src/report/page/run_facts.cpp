#include "report/page/run_facts.h"

#include <fmt/format.h>

#include <cmath>

#include "base/exists.h"
#include "base/version.h"
#include "io/json.h"
#include "model/config.h"
#include "model/parameters.h"
#include "report/figures.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// A value of JSON as a person reads it.
std::string text_of(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Adds a row for a field of an object, where it has it.
void add_field(FactGroup& group, const json& object, const char* field, const std::string& name) {
  if (!object.is_object() || !object.contains(field) || object[field].is_null()) return;
  const json& value = object[field];
  group.rows.emplace_back(name, value.is_number_integer() ? with_commas(value.get<std::int64_t>()) : text_of(value));
}

// strider_run.json of a finished run, else strider_state.json of its newest checkpoint.
json read_record(const fs::path& run, RunFacts& facts, Missing& missing) {
  fs::path file = run / "strider_run.json";
  const auto checkpoints = checkpoints_of(run);
  facts.is_finished = path_exists(file);
  if (!facts.is_finished) {
    missing.add("The end of the run: it is still going, or was interrupted; all that is shown is as of now.");
    if (checkpoints.empty()) return {};
    file = checkpoints.back().second / "strider_state.json";
    if (!path_exists(file)) return {};
  }
  try {
    return read_json(file);
  } catch (const Error& error) {
    missing.add("Settings and results", error);
    return {};
  }
}

std::optional<fs::path> find_model(const fs::path& run) {
  const auto checkpoints = checkpoints_of(run);
  if (path_exists(run / "final_model" / "config.json")) return run / "final_model";
  if (!checkpoints.empty() && path_exists(checkpoints.back().second / "config.json")) return checkpoints.back().second;
  return std::nullopt;
}

FactGroup model_facts(const fs::path& folder, const json& run_line, Missing& missing) {
  FactGroup group{"Model", {}};
  add_field(group, run_line, "config", "Configuration");
  try {
    const LlamaConfig config = read_config(folder / "config.json");
    const auto add = [&](const char* name, std::int64_t value) { group.rows.emplace_back(name, with_commas(value)); };
    add("Parameters", ParameterLayout(config).total());
    add("Layers", config.num_hidden_layers);
    add("Hidden size", config.hidden_size);
    add("Intermediate size", config.intermediate_size);
    add("Attention heads", config.num_attention_heads);
    add("Key/value heads", config.num_key_value_heads);
    add("Vocabulary", config.vocab_size);
  } catch (const Error& error) {
    missing.add("The model's shape", error);
  }
  group.rows.emplace_back("Folder", folder.string());
  return group;
}

std::optional<fs::path> find_dataset(const fs::path& run, const std::optional<fs::path>& given, const json& run_line) {
  std::vector<fs::path> places;
  if (given) {
    places = {*given};
  } else {
    if (run_line.is_object() && run_line.contains("dataset_dir") && run_line["dataset_dir"].is_string()) {
      places.emplace_back(run_line["dataset_dir"].get<std::string>());
    }
    places.push_back(fs::absolute(run).lexically_normal().parent_path() / "dataset");
    if (!run.has_filename())
      places.push_back(fs::absolute(run).lexically_normal().parent_path().parent_path() / "dataset");
  }
  for (const fs::path& place : places) {
    if (path_exists(place / "vocab_info.json")) return place;
  }
  return std::nullopt;
}

FactGroup data_facts(const fs::path& folder, RunFacts& facts, Missing& missing) {
  FactGroup group{"Data", {{"Folder", folder.string()}}};
  try {
    const json info = read_json(folder / "vocab_info.json");
    add_field(group, info, "vocab_size", "Vocabulary");
    add_field(group, info, "ids_seen", "Ids that occur");
    add_field(group, info, "best_loss", "Best possible loss");
    if (!facts.vocab_size && info.is_object() && info.contains("vocab_size")) {
      facts.vocab_size = json_integer(info, "vocab_size", folder / "vocab_info.json");
    }
    if (info.is_object() && info.contains("best_loss") && info["best_loss"].is_number()) {
      facts.best_loss = info["best_loss"].get<double>();
    }
    const json rule = info.is_object() ? info.value("walk_rule", json()) : json();
    add_field(group, rule, "graph", "Graph");
    add_field(group, rule, "max_length", "Nodes of a walk");
    add_field(group, rule, "no_repeat_window", "Nodes that a walk does not repeat");
    add_field(group, rule, "restart_prob", "Probability of a restart");
    add_field(group, rule, "temperature", "Temperature of the walks");
    add_field(group, rule, "seed", "Seed of the walks");
    if (rule.is_object()) add_field(group, rule.value("walks", json()), "count", "Walks in all");
  } catch (const Error& error) {
    missing.add("The data", error);
  }
  return group;
}

FactGroup result_facts(const json& record, const RunLog& log, const RunFacts& facts) {
  FactGroup group{"Run", {{"State", facts.is_finished ? "finished" : "not finished"}}};
  const json result = record.is_object() ? record.value("result", json()) : json();
  add_field(group, result, "steps", "Steps");
  add_field(group, log.run, "max_steps", "Planned steps");
  add_field(group, log.run, "steps_per_epoch", "Steps of an epoch");
  add_field(group, log.run, "walks_per_step", "Walks of a step");
  add_field(group, log.run, "precision", "Precision");
  add_field(group, result, "eval_loss_per_prediction", "Evaluation loss of final_model, per predicted token");
  if (result.is_object() && result.contains("averaged_steps")) {
    add_field(group, result, "averaged_steps", "Weights of final_model: the mean after so many steps");
  } else {
    add_field(group, result, "best_checkpoint", "Weights of final_model");
  }
  return group;
}

FactGroup time_facts(const json& record, const RunLog& log) {
  FactGroup group{"Times", {}};
  const json result = record.is_object() ? record.value("result", json()) : json();
  if (result.is_object() && result.contains("seconds") && result["seconds"].is_number()) {
    group.rows.emplace_back("Training, over all sittings", short_duration(result["seconds"].get<double>()));
  }
  const Series& loss = log.loss;
  if (!loss.seconds.empty() && loss.seconds.back() > 0) {
    group.rows.emplace_back("Training steps alone", short_duration(loss.seconds.back()));
    const double rate = loss.tokens.back() / loss.seconds.back();
    group.rows.emplace_back("Tokens per second", with_commas(static_cast<std::int64_t>(std::llround(rate))));
    group.rows.emplace_back("Tokens seen", with_commas(static_cast<std::int64_t>(std::llround(loss.tokens.back()))));
    group.rows.emplace_back("Seconds per step", fmt::format("{:.4g}", loss.seconds.back() / loss.step.back()));
  }
  return group;
}

FactGroup machine_facts(const json& run_line) {
  FactGroup group{"Machine and versions", {}};
  add_field(group, run_line, "processor", "Processor");
  add_field(group, run_line, "vectors", "Vector instructions");
  add_field(group, run_line, "threads", "Threads");
  add_field(group, run_line, "strider", "Strider that trained");
  group.rows.emplace_back("Strider that wrote this page", program_version());
  return group;
}

FactGroup setting_facts(const json& record) {
  FactGroup group{"Settings", {}};
  const json settings = record.is_object() ? record.value("settings", json()) : json();
  if (!settings.is_object()) return group;
  for (const auto& [name, value] : settings.items()) {
    if (name.starts_with("config.")) continue;  // the table of the model has them
    if (std::string text = text_of(value); !text.empty()) group.rows.emplace_back(name, std::move(text));
  }
  return group;
}

}  // namespace

RunFacts read_run_facts(const fs::path& run, const std::optional<fs::path>& dataset, const RunLog& log,
                        Missing& missing) {
  RunFacts facts;
  const json record = read_record(run, facts, missing);
  if (log.run.is_object()) {
    if (log.run.contains("vocab_size") && log.run["vocab_size"].is_number_integer()) {
      facts.vocab_size = log.run["vocab_size"].get<std::int64_t>();
    }
    if (log.run.contains("best_loss") && log.run["best_loss"].is_number()) {
      facts.best_loss = log.run["best_loss"].get<double>();
    }
  }
  facts.groups.push_back(result_facts(record, log, facts));
  facts.model = find_model(run);
  if (facts.model) {
    facts.groups.push_back(model_facts(*facts.model, log.run, missing));
  } else {
    missing.add(fmt::format("The model: there is neither final_model nor a checkpoint in {}.", run.string()));
  }
  facts.dataset = find_dataset(run, dataset, log.run);
  if (facts.dataset) {
    facts.groups.push_back(data_facts(*facts.dataset, facts, missing));
  } else {
    missing.add("The data: the dataset is neither where the run says nor beside it. --dataset_dir names it.");
  }
  facts.groups.push_back(time_facts(record, log));
  facts.groups.push_back(machine_facts(log.run));
  facts.groups.push_back(setting_facts(record));
  if (facts.groups.back().rows.empty()) missing.add("Settings: no strider_run.json and no checkpoint records them.");
  std::erase_if(facts.groups, [](const FactGroup& group) { return group.rows.empty(); });
  return facts;
}

nlohmann::ordered_json facts_json(const std::vector<FactGroup>& groups) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const FactGroup& group : groups) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const auto& [name, value] : group.rows) rows.push_back({name, value});
    all.push_back({{"title", group.title}, {"rows", rows}});
  }
  return all;
}

}  // namespace strider
