#include "report/page/steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "geometry/graph_measurer.h"
#include "snapshots/step_folder.h"

namespace strider {
namespace {

using Json = nlohmann::ordered_json;

// The first, the last, and `most` - 2 between them, evenly.
std::vector<StepEntry> some_of(const std::vector<StepEntry>& all, std::size_t most) {
  if (all.size() <= most) return all;
  std::vector<StepEntry> some;
  for (std::size_t i = 0; i < most; ++i) {
    some.push_back(all[most == 1 ? all.size() - 1 : i * (all.size() - 1) / (most - 1)]);
  }
  return some;
}

double rounded(double value) {
  return std::round(value * 1e6) / 1e6;
}

Json logged_geometry(std::span<const nlohmann::json> lines) {
  Json steps = Json::array();
  for (const nlohmann::json& line : lines) {
    Json arrays = Json::object();
    for (const auto& [array, measures] : line["arrays"].items()) {
      if (!measures.is_object()) continue;
      for (const auto& [name, value] : measures.items()) {
        if (value.is_number()) arrays[array][name] = rounded(value.get<double>());
      }
    }
    steps.push_back({{"step", line["step"]}, {"arrays", arrays}});
  }
  return steps;
}

Json measured_geometry(const GraphMeasurer& measurer, const Representations& representations) {
  std::vector<std::vector<float>> layers;
  for (const LayerArray& array : representations.arrays) layers.push_back(read_layer(representations, array));
  const auto measured = measurer.measure(layers);
  Json arrays = Json::object();
  for (std::size_t i = 0; i < measured.size(); ++i) {
    if (!measured[i]) continue;
    for (const NamedMeasure& measure : named_measures(*measured[i])) {
      if (measure.value) arrays[representations.arrays[i].name][std::string(measure.name)] = rounded(*measure.value);
    }
  }
  return arrays;
}

}  // namespace

void add_steps(const StepsSource& source, const DrawnSurface& surface, const PlacesByArray& final_places, Json& data,
               Missing& missing) {
  data["steps"] = nullptr;
  data["geometry_by_step"] = source.geometry.empty() ? Json() : logged_geometry(source.geometry);
  try {
    const std::optional<StepIndex> index = read_step_index(source.folder);
    if (!index || index->steps.empty()) return;
    const std::size_t nodes = surface.graph.size();
    Notices notices;
    const auto open = [&](const StepEntry& entry) {
      return open_representations(source.folder / entry.file, {}, surface.graph, notices);
    };
    const std::size_t arrays = open(index->steps.back()).arrays.size();
    const std::size_t most = source.most_bytes / (frame_bytes(nodes) * std::max<std::size_t>(1, arrays));
    const std::vector<StepEntry> drawn = some_of(index->steps, std::max<std::size_t>(1, most));
    if (drawn.size() < index->steps.size()) {
      missing.add(fmt::format("{} of {} steps are not drawn, so that the page stays small.",
                              index->steps.size() - drawn.size(), index->steps.size()));
    }
    const bool measures = source.geometry.empty() && nodes <= kMostNodesToMeasure;
    std::optional<GraphMeasurer> measurer;
    if (measures) measurer.emplace(surface.graph_file, source.threads);
    PlacesByArray places = final_places;
    Json steps = Json::array(), geometry = Json::array();
    for (auto entry = drawn.rbegin(); entry != drawn.rend(); ++entry) {
      try {
        const Representations representations = open(*entry);
        steps.push_back({{"step", entry->step},
                         {"frames", frames_json(representations, representations.arrays, nodes, places, missing)}});
        if (measurer) {
          geometry.push_back({{"step", entry->step}, {"arrays", measured_geometry(*measurer, representations)}});
        }
      } catch (const Error& error) {
        missing.add(fmt::format("Step {}", entry->step), error);
      }
    }
    std::ranges::reverse(steps);
    std::ranges::reverse(geometry);
    data["steps"] = steps.empty() ? Json() : steps;
    if (measurer && !geometry.empty()) data["geometry_by_step"] = geometry;
  } catch (const Error& error) {
    missing.add("Steps", error);
  }
}

}  // namespace strider
