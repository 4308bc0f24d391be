#include "report/page/frames.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "geometry/projection.h"
#include "report/page/base64.h"

namespace strider {
namespace {

using Json = nlohmann::ordered_json;

Json frame_json(const LayerArray& array, const Projection& projection) {
  double farthest = 0;
  for (std::size_t i = 0; i < projection.points.size(); i += 3) {
    const double x = projection.points[i], y = projection.points[i + 1], z = projection.points[i + 2];
    farthest = std::max(farthest, std::sqrt(x * x + y * y + z * z));
  }
  std::vector<std::int16_t> points;
  points.reserve(projection.points.size());
  const double scale = farthest > 0 ? INT16_MAX / farthest : 0.0;
  for (const float value : projection.points) points.push_back(static_cast<std::int16_t>(std::lround(value * scale)));
  Json shares = Json::array();
  for (const double share : projection.shares) shares.push_back(std::round(share * 1e4) / 1e4);
  return {{"array", array.name},
          {"type", array.type},
          {"layer", array.layer ? Json(*array.layer) : Json()},
          {"points", base64_of<std::int16_t>(points)},
          {"shares", shares}};
}

}  // namespace

std::size_t frame_bytes(std::size_t nodes) {
  return 8 * nodes;  // three int16 in base64
}

std::vector<LayerArray> arrays_that_fit(const std::vector<LayerArray>& arrays, std::size_t nodes,
                                        std::size_t most_bytes, Missing& missing) {
  const std::size_t most = std::max<std::size_t>(1, most_bytes / frame_bytes(nodes));
  if (arrays.size() <= most) return arrays;
  const auto is_first_choice = [](const LayerArray& array) { return array.type == "after_block"; };
  const auto first_with_layers =
      std::ranges::find_if(arrays, [](const LayerArray& array) { return array.layer.has_value(); });
  const std::string type = std::ranges::any_of(arrays, is_first_choice) ? "after_block"
                           : first_with_layers == arrays.end()          ? std::string()
                                                                        : first_with_layers->type;
  std::vector<LayerArray> some;
  for (const LayerArray& array : arrays) {
    if (!array.layer || array.type == type) some.push_back(array);
  }
  std::vector<LayerArray> kept;
  for (std::size_t i = 0; i < some.size(); ++i) {
    if (some.size() <= most || kept.size() * some.size() <= i * most) kept.push_back(some[i]);
  }
  missing.add(fmt::format("{} of {} arrays of representations are not drawn, so that the page stays small.",
                          arrays.size() - kept.size(), arrays.size()));
  return kept;
}

Json frames_json(const Representations& representations, const std::vector<LayerArray>& arrays, std::size_t nodes,
                 PlacesByArray& places, Missing& missing) {
  Json frames = Json::array();
  std::unordered_map<std::string, std::vector<float>> before;
  std::vector<float> input, last_of_first_type;
  std::string first_type;
  for (const LayerArray& array : arrays) {
    try {
      const std::vector<float> values = read_layer(representations, array);
      const auto drawn = places.find(array.name);
      const bool is_known = before.contains(array.type);
      const std::vector<float>& like = drawn != places.end()                         ? drawn->second
                                       : is_known                                    ? before[array.type]
                                       : !array.layer && !last_of_first_type.empty() ? last_of_first_type
                                                                                     : input;
      Projection projection = project(values, nodes, like);
      frames.push_back(frame_json(array, projection));
      if (array.layer && first_type.empty()) first_type = array.type;
      if (array.layer && array.type == first_type) last_of_first_type = projection.points;
      if (input.empty()) input = projection.points;
      before[array.type] = projection.points;
      places[array.name] = std::move(projection.points);
    } catch (const Error& error) {
      missing.add("Points of " + array.name, error);
    }
  }
  return frames;
}

}  // namespace strider
