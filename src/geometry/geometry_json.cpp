#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "geometry/measure.h"

namespace strider {
namespace {

using Json = nlohmann::ordered_json;

Json number(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

void add_measures(const LayerMeasures& measures, Json& object) {
  for (const NamedMeasure& measure : named_measures(measures)) {
    if (measure.has_chance) object[std::string(measure.name)] = number(measure.value);
  }
}

Json layer_json(const MeasuredLayer& layer) {
  Json object = {{"array", layer.array.name},
                 {"type", layer.array.type},
                 {"layer", layer.array.layer ? Json(*layer.array.layer) : Json(nullptr)},
                 {"width", layer.array.width},
                 {"crc32", fmt::format("{:08x}", layer.array.crc32)}};
  const LayerMeasures& measures = layer.measures;
  add_measures(measures, object);
  object["geodesic_pairs"] = measures.geodesic_pairs;
  object["dirichlet_energy"] = measures.dirichlet_energy;
  object["probe_r2"] = number(measures.probe_r2);
  object["probe_r2_by_coordinate"] = Json::array();
  for (const auto& r2 : measures.probe_r2_by_coordinate) object["probe_r2_by_coordinate"].push_back(number(r2));
  object["effective_dimension"] = measures.effective_dimension;
  return object;
}

}  // namespace

std::vector<NamedMeasure> named_measures(const LayerMeasures& measures) {
  return {{"neighbours", measures.neighbours},
          {"within_two", measures.within_two},
          {"geodesic_correlation", measures.geodesic_correlation},
          {"component_correlation", measures.component_correlation},
          {"rsa", measures.rsa},
          {"dirichlet_ratio", measures.dirichlet_ratio},
          {"laplacian_alignment", measures.laplacian_alignment},
          {"laplacian_variance", measures.laplacian_variance},
          {"probe_r2", measures.probe_r2, false},
          {"effective_dimension", measures.effective_dimension, false}};
}

std::string geometry_json(const GeometryReport& report) {
  Json json = {{"representations", report.representations.string()},
               {"graph", report.graph.string()},
               {"coordinates", report.coordinates ? Json(report.coordinates->string()) : Json(nullptr)},
               {"nodes", report.nodes},
               {"edges", report.edges},
               {"nearest", report.nearest},
               {"laplacian_eigenvalues", report.laplacian_eigenvalues},
               {"notices", report.notices.texts()}};
  add_measures(report.chance, json["chance"]);
  json["layers"] = Json::array();
  for (const MeasuredLayer& layer : report.layers) json["layers"].push_back(layer_json(layer));
  // A folder's name need not be UTF-8.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace strider
