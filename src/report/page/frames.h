#pragma once
// Pictures of representations: every token's place in space, an array of representations each.
#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "geometry/representations.h"
#include "report/page/missing.h"

namespace strider {

/// In seconds; the geometry of more nodes is left to strider measure.
inline constexpr std::size_t kMostNodesToMeasure = 4000;

/// Of each array that was drawn last: [nodes, 3].
using PlacesByArray = std::unordered_map<std::string, std::vector<float>>;

/// Bytes of one frame's points in the page.
std::size_t frame_bytes(std::size_t nodes);

/// The arrays whose frames fit: all; else input, output and one type; else fewer layers of that type, evenly.
std::vector<LayerArray> arrays_that_fit(const std::vector<LayerArray>& arrays, std::size_t nodes,
                                        std::size_t most_bytes, Missing& missing);

/// The frames of surface.h. An array that `places` has is turned onto what it has; of the others each onto the one
/// before it of its type, the first ones onto the input's, the output onto the last of the first type. `places` then
/// has the new ones. What cannot be read is named in `missing`.
nlohmann::ordered_json frames_json(const Representations& representations, const std::vector<LayerArray>& arrays,
                                   std::size_t nodes, PlacesByArray& places, Missing& missing);

}  // namespace strider
