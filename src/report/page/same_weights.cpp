#include "report/page/same_weights.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "base/exists.h"
#include "extract/fingerprint.h"
#include "io/json.h"
#include "model/config.h"
#include "model/folder.h"
#include "model/parameters.h"

namespace strider {

std::string weights_mismatch(const std::filesystem::path& model, const std::filesystem::path& representations) {
  const std::filesystem::path file = representations.parent_path() / "representation_info.json";
  if (!path_exists(file)) return {};
  const nlohmann::json info = read_json(file);
  if (!info.is_object() || !info.contains("fingerprint") || !info["fingerprint"].is_object() ||
      !info["fingerprint"].contains("weights")) {
    return {};
  }
  const std::string before = json_string(info["fingerprint"], "weights", file);
  const LlamaConfig config = read_config(model / "config.json");
  const ParameterLayout layout(config);
  std::vector<float> values(static_cast<std::size_t>(layout.total()));
  read_weights(model, layout, values, Head::kOptional);
  const std::string now = fingerprint_of(config, layout, values, {}).weights;
  if (now == before) return {};
  return fmt::format("the weights in {} have the checksum {}, and those of {} had {}", model.string(), now,
                     representations.string(), before);
}

}  // namespace strider
