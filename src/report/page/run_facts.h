#pragma once
// What documents a run besides its curves: model, data, settings, machine, versions and times, from the files that the
// run and its dataset have.
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "report/page/missing.h"
#include "report/page/run_log.h"

namespace strider {

/// A table of the page: names and values, both for a person.
struct FactGroup {
  std::string title;
  std::vector<std::pair<std::string, std::string>> rows;
};

struct RunFacts {
  std::vector<FactGroup> groups;
  std::optional<std::int64_t> vocab_size;
  std::optional<double> best_loss;               // nats per predicted token, on the validation walks
  std::optional<std::filesystem::path> dataset;  // a folder with a vocab_info.json
  std::optional<std::filesystem::path> model;    // final_model; of an unfinished run its newest checkpoint
  bool is_finished = false;
};

/// `dataset` is where the data is; nothing: where the run says, else the folder dataset/ beside it.
RunFacts read_run_facts(const std::filesystem::path& run, const std::optional<std::filesystem::path>& dataset,
                        const RunLog& log, Missing& missing);

nlohmann::ordered_json facts_json(const std::vector<FactGroup>& groups);

}  // namespace strider
