#pragma once
// README.md of final_model: the model card that the Hugging Face hub shows. Its first lines are YAML with the hub's
// fields (https://huggingface.co/docs/hub/model-cards#model-card-metadata): library_name, pipeline_tag, tags, datasets
// and, where there was an evaluation, model-index. A license is its user's to choose. What it says follows from the
// run's settings, data and result alone: the same run has the same card, however often it was interrupted and wherever
// it ran.
#include <cstdint>
#include <optional>
#include <string>

#include "train/run_folder.h"
#include "train/run_plan.h"

namespace strider {

/// What the card says of the data, read at a run's start: its folder may be gone at the end.
struct CardData {
  std::string name;          // of the dataset: its folder, or the one above a folder named "dataset"
  nlohmann::json rule = {};  // walk_rule of vocab_info.json; null where the walks' origin is not known
};

CardData read_card_data(const std::filesystem::path& dataset_dir);

/// `tokens`: seen in all steps, where that is known.
std::string model_card(const RunPlan& plan, const CardData& data, const FinishedRun& run,
                       std::optional<std::int64_t> tokens);

}  // namespace strider
