#include "train/fingerprint.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "io/checksum.h"

namespace strider {
namespace {

using nlohmann::json;

// Of the ids, walk by walk: the same for the same data wherever it is kept.
json data_fingerprint(const WalkSplit& split, std::int64_t max_length) {
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

json to_json(const SettingValue& value) {
  return std::visit([](const auto& held) { return json(held); }, value);
}

// Null where the name is none of a setting.
const TrainingSetting* find(const TrainingSettingsTable& table, const std::string& option) {
  const auto found = std::ranges::find(table, option, [](const TrainingSetting& row) { return row.facts().option; });
  return found == table.end() ? nullptr : &*found;
}

}  // namespace

json recorded_settings(const TrainingSettings& settings, const TrainingSettingsTable& table) {
  json object = json::object();
  for (const TrainingSetting& setting : table) {
    const SettingFacts& facts = setting.facts();
    if (facts.on_resume != OnResume::kMayDiffer) object[facts.option] = to_json(setting.value(settings));
  }
  return object;
}

json run_fingerprint(const TrainingSettings& settings, const LlamaConfig& config, const WalkDataset& dataset,
                     std::span<const float> initial) {
  json object = recorded_settings(settings);
  if (!settings.precision) object.erase("precision");
  object["train_data"] = data_fingerprint(dataset.train, settings.max_length);
  object["validation_data"] =
      dataset.validation ? data_fingerprint(*dataset.validation, settings.max_length) : json(nullptr);
  // Weights that are drawn from the seed follow from it, whatever the last bits of a processor's arithmetic.
  if (settings.init_from) object["initial_weights"] = fmt::format("crc32 {:08x}", crc32_of(std::as_bytes(initial)));
  const json model = json::parse(config_json(config));
  for (const auto& [name, value] : model.items()) {
    if (!name.ends_with("_token_id")) object["config." + name] = value;
  }
  if (config.pad_token_id) object["config.pad_token_id"] = *config.pad_token_id;
  return object;
}

FingerprintDifferences compare_fingerprints(const json& earlier, const json& now, const TrainingSettingsTable& table) {
  FingerprintDifferences found;
  for (const auto& [name, value] : now.items()) {
    const TrainingSetting* const setting = find(table, name);
    json before = "absent";
    if (earlier.contains(name)) {
      before = earlier[name];
    } else if (setting != nullptr && setting->facts().before) {
      before = to_json(*setting->facts().before);
    }
    if (before == value) continue;
    if (!found.text.empty()) found.text += "; ";
    found.text += fmt::format("{} was {}, now {}", name, before.dump(), value.dump());
    if (setting == nullptr || setting->facts().on_resume != OnResume::kMayBeContinued) found.can_be_continued = false;
  }
  return found;
}

}  // namespace strider
