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
  object["neighbours"] = measures.neighbours;
  object["within_two"] = measures.within_two;
  object["geodesic_correlation"] = number(measures.geodesic_correlation);
  object["component_correlation"] = number(measures.component_correlation);
  object["rsa"] = number(measures.rsa);
  object["dirichlet_ratio"] = measures.dirichlet_ratio;
  object["laplacian_alignment"] = number(measures.laplacian_alignment);
  object["laplacian_variance"] = number(measures.laplacian_variance);
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
