#include "snapshots/step_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/exists.h"
#include "extract/output.h"
#include "io/atomic_file.h"
#include "io/json.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kIndexFile = "index.json";
constexpr int kIndexVersion = 1;
constexpr const char* kStartAnew =
    "OVERWRITE=true (--overwrite) makes them anew; or move that folder away, or name another one.";

std::string file_of(std::int64_t step) {
  return fmt::format("step-{}.npz", step);
}

[[noreturn]] void refuse(const std::string& message, const fs::path& folder) {
  throw Error(message, {.file = folder.string(), .place = {}, .advice = kStartAnew});
}

std::vector<std::string> names_of(const std::vector<Representation>& types) {
  std::vector<std::string> names;
  for (const Representation what : types) names.emplace_back(representation_type(what).name);
  return names;
}

}  // namespace

std::optional<StepIndex> read_step_index(const fs::path& folder) {
  const fs::path file = folder / kIndexFile;
  if (!path_exists(file)) return std::nullopt;
  const nlohmann::json object = read_json(file);
  StepIndex index;
  try {
    if (json_integer(object, "version", file) != kIndexVersion) {
      throw Error("this version of the index is none that this program reads",
                  {.file = file.string(), .place = "version", .advice = kStartAnew});
    }
    index.representations = object.at("representations").get<std::vector<std::string>>();
    const nlohmann::json& fingerprint = object.at("fingerprint");
    if (!fingerprint.is_object()) {
      throw Error("the fingerprint is no object",
                  {.file = file.string(), .place = "fingerprint", .advice = kStartAnew});
    }
    index.fingerprint = fingerprint.dump();
    for (const nlohmann::json& line : object.at("steps")) {
      StepEntry entry{.step = json_integer(line, "step", file),
                      .file = json_string(line, "file", file),
                      .weights = json_string(line, "weights", file)};
      if (entry.step < 0 || entry.file != file_of(entry.step) ||
          (!index.steps.empty() && index.steps.back().step >= entry.step)) {
        throw Error(fmt::format("step {} is none of an index, or in the wrong place", entry.step),
                    {.file = file.string(), .place = "steps", .advice = kStartAnew});
      }
      index.steps.push_back(std::move(entry));
    }
  } catch (const nlohmann::json::exception& error) {
    throw Error(fmt::format("this is no index of representations by step ({})", error.what()),
                {.file = file.string(), .place = {}, .advice = kStartAnew});
  }
  return index;
}

StepFolder::StepFolder(fs::path folder, const std::vector<std::string>& representations, int threads)
    : folder_(std::move(folder)), types_(parse_representations(representations)), threads_(threads) {
  if (path_exists(folder_) && !is_folder(folder_)) refuse("This is no folder", folder_);
  const std::vector<std::string> names = names_of(types_);
  if (std::optional<StepIndex> there = read_step_index(folder_)) index_ = std::move(*there);
  if (!index_.steps.empty() && index_.representations != names) {
    refuse(fmt::format("It has representations by step of other types: {}, and {} {} asked for",
                       fmt::join(index_.representations, " "), fmt::join(names, " "), names.size() == 1 ? "is" : "are"),
           folder_);
  }
  index_.representations = names;
}

// All steps are of one model: the first one says of which.
void StepFolder::check_model(const ModelFingerprint& now) {
  if (index_.fingerprint.empty() || index_.steps.empty()) {
    nlohmann::json common = nlohmann::json::parse(to_json(now).dump());  // sorted, as it is when it is read again
    common.erase("weights");
    index_.fingerprint = common.dump();
    return;
  }
  nlohmann::json earlier = nlohmann::json::parse(index_.fingerprint);
  earlier["weights"] = now.weights;  // these may differ
  const std::string found = differences(earlier, now);
  if (!found.empty()) refuse("It has representations by step of another model: " + found, folder_);
}

bool StepFolder::add(const ModelAtStep& model) {
  const ParameterLayout layout(model.config);
  const ModelFingerprint now = fingerprint_of(model.config, layout, model.parameters, model.token_ids);
  check_model(now);
  const fs::path file = folder_ / file_of(model.step);
  auto place = std::ranges::lower_bound(index_.steps, model.step, {}, &StepEntry::step);
  const bool is_known = place != index_.steps.end() && place->step == model.step;
  if (is_known && place->weights == now.weights && path_exists(file)) return false;

  if (!vectors_) {  // the first step that is written here; the vocabulary of all is the same
    notices_.add(write_file_atomically(folder_ / kMetadataFile,
                                       metadata_json(model.token_ids, model.token_texts, model.never_seen)));
    vectors_ = std::make_unique<TokenVectors>(model.config, threads_);
  }
  vectors_->set_parameters(model.parameters);
  vectors_->write(file, model.token_ids, list_token_arrays(model.config, types_));
  StepEntry entry{.step = model.step, .file = file_of(model.step), .weights = now.weights};
  if (is_known) {
    *place = std::move(entry);
  } else {
    index_.steps.insert(place, std::move(entry));
  }
  write_index();
  return true;
}

void StepFolder::remove_after(std::int64_t step) {
  std::vector<StepEntry> later;
  const auto first = std::ranges::upper_bound(index_.steps, step, {}, &StepEntry::step);
  if (first == index_.steps.end()) return;
  later.assign(first, index_.steps.end());
  index_.steps.erase(first, index_.steps.end());
  write_index();  // before the files, so that a kill leaves no line without its file
  for (const StepEntry& entry : later) notices_.add(remove_atomically(folder_ / entry.file));
}

void StepFolder::write_index() {
  Json steps = Json::array();
  for (const StepEntry& entry : index_.steps) {
    steps.push_back({{"step", entry.step}, {"file", entry.file}, {"weights", entry.weights}});
  }
  const Json object = {{"version", kIndexVersion},
                       {"representations", index_.representations},
                       {"fingerprint", Json::parse(index_.fingerprint)},
                       {"steps", steps}};
  notices_.add(write_file_atomically(folder_ / kIndexFile, object.dump(2) + "\n"));
}

Notices remove_steps(const fs::path& folder) {
  return path_exists(folder) ? remove_atomically(folder) : Notices();
}

}  // namespace strider
