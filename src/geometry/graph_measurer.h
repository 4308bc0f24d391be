#pragma once
// The measures of strider measure for vectors that are in memory: a graph is read and prepared once, and then layer
// after layer compared with it.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "geometry/layer_measures.h"

namespace strider {

class GraphMeasurer {
 public:
  /// `graph_file` is A_{name}_labeled.csv, with coords_{name}.npy beside it or without. Throws Error as
  /// measure_geometry (geometry/measure.h).
  GraphMeasurer(const std::filesystem::path& graph_file, int threads);
  ~GraphMeasurer();
  GraphMeasurer(const GraphMeasurer&) = delete;
  GraphMeasurer& operator=(const GraphMeasurer&) = delete;

  /// The token of each node.
  std::span<const std::int32_t> tokens() const;
  /// Each of `layers` is [nodes, width], in the order of tokens(). The numbers of measure_geometry with its default
  /// of nearest nodes; nothing for vectors that are not finite, a row of zeros among them, or all the same.
  std::vector<std::optional<LayerMeasures>> measure(const std::vector<std::vector<float>>& layers) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace strider
