#pragma once
// The model on its way: pictures and measures by step, for the page's slider over checkpoints.
#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>

#include "report/page/frames.h"
#include "report/page/missing.h"
#include "report/page/surface.h"

namespace strider {

struct StepsSource {
  std::filesystem::path folder;              // see snapshots/step_folder.h; may not exist
  std::span<const nlohmann::json> geometry;  // RunLog::geometry
  std::size_t most_bytes = 0;                // of the places of tokens, as base64
  int threads = 1;
};

/// Adds "steps" and "geometry_by_step" (surface.h) to the data of a surface. Steps whose pictures do not fit are left
/// out, evenly, and named in `missing`. Going back from the last step, each picture is turned onto the one after it,
/// which begins with `places`, those of the final model. The measures are those of the run's log; where it has none
/// they are computed for the steps that are drawn.
void add_steps(const StepsSource& source, const DrawnSurface& surface, const PlacesByArray& places,
               nlohmann::ordered_json& data, Missing& missing);

}  // namespace strider
