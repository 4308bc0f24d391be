#include "engine/cuda/node_pairs.h"

#include <algorithm>
#include <stdexcept>

#include "base/carver.h"
#include "engine/cuda/ops/cosines.h"
#include "engine/cuda/ops/pair_distances.h"
#include "engine/cuda/ops/rank_pairs.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

struct PairsMemory {
  // Of the graph.
  DeviceSpan<std::uint16_t> hops;
  DeviceSpan<double> rank_of_hops;
  // Of rows.
  DeviceSpan<double> rows;
  DeviceSpan<double> panel;  // [2, panel, nodes]: cosines, or distances of two rounds
  DeviceSpan<std::int32_t> nearest;
  DeviceSpan<double> nearest_cosines;
  DeviceSpan<std::uint64_t> keys, other_keys;
  DeviceSpan<std::uint32_t> sort_scratch;
  DeviceSpan<double> rank_sums;
  // Of a graph of nearest nodes, and of points.
  DeviceSpan<std::int32_t> offsets, neighbours;
  DeviceSpan<double> lengths;
  DeviceSpan<double> points;
  DeviceSpan<double> pair_sums;

  void lay_out(Carver& carver, const NodePairsLimits& limits, std::int64_t panel_nodes) {
    const std::int64_t nodes = limits.nodes;
    const std::int64_t pairs = all_pairs(nodes);
    const std::int64_t panel_rows = std::min(panel_nodes, nodes);
    const std::int64_t edges = 2 * nodes * limits.nearest;  // at most, each both ways
    hops = take<std::uint16_t>(carver, nodes * nodes);
    rank_of_hops = take<double>(carver, nodes);  // no distance is longer
    rows = take<double>(carver, nodes * limits.width);
    panel = take<double>(carver, 2 * panel_rows * nodes);
    nearest = take<std::int32_t>(carver, panel_rows * limits.nearest);
    nearest_cosines = take<double>(carver, panel_rows * limits.nearest);
    keys = take<std::uint64_t>(carver, pairs);
    other_keys = take<std::uint64_t>(carver, pairs);
    sort_scratch = take<std::uint32_t>(carver, cuda::sort_scratch(pairs));
    rank_sums = take<double>(carver, rank_blocks(pairs) * kRankSums);
    offsets = take<std::int32_t>(carver, nodes + 1);
    neighbours = take<std::int32_t>(carver, edges);
    lengths = take<double>(carver, edges);
    points = take<double>(carver, 3 * nodes);
    pair_sums = take<double>(carver, nodes * kPairSums);
  }

 private:
  template <typename T>
  static DeviceSpan<T> take(Carver& carver, std::int64_t count) {
    return {carver.take<T>(count), count};
  }
};

class CudaNodePairs : public NodePairs {
 public:
  CudaNodePairs(const PairedNodes& nodes, const NodePairsLimits& limits, std::int64_t panel_nodes)
      : nodes_(nodes.count),
        pairs_(nodes.pairs),
        panel_nodes_(panel_nodes),
        storage_(node_pairs_memory_bytes(limits, panel_nodes)) {
    Carver carver(storage_.data());
    memory_.lay_out(carver, limits, panel_nodes);
    memory_.rank_of_hops = part(memory_.rank_of_hops, 0, std::ssize(nodes.rank_of_hops));
    stream_.copy_to_device(memory_.hops, nodes.hops.data());
    stream_.copy_to_device(memory_.rank_of_hops, nodes.rank_of_hops.data());
    stream_.wait();
  }

  RowComparison compare(std::span<const double> rows, std::int64_t each) override {
    const std::int64_t width = std::ssize(rows) / nodes_;
    const DeviceSpan<double> on_device = copied(memory_.rows, rows);
    RowComparison result;
    result.nearest.resize(static_cast<std::size_t>(nodes_ * each));
    result.cosines.resize(static_cast<std::size_t>(nodes_ * each));
    for_panels([&](std::int64_t first, std::int64_t count) {
      const DeviceSpan<double> panel = part(memory_.panel, 0, count * nodes_);
      const DeviceSpan<std::int32_t> nearest = part(memory_.nearest, 0, count * each);
      const DeviceSpan<double> nearest_cosines = part(memory_.nearest_cosines, 0, count * each);
      cosines(stream_.get(), nodes_, width, first, on_device, panel);
      nearest_nodes(stream_.get(), nodes_, first, each, panel, nearest, nearest_cosines);
      pair_keys(stream_.get(), nodes_, first, panel, memory_.hops, memory_.keys);
      stream_.copy_to_host<std::int32_t>(result.nearest.data() + first * each, nearest);
      stream_.copy_to_host<double>(result.cosines.data() + first * each, nearest_cosines);
    });
    add_rank_sums(result);
    return result;
  }

  DistanceSums geodesics(std::span<const std::int32_t> offsets, std::span<const std::int32_t> neighbours,
                         std::span<const double> lengths) override {
    const DeviceEdges edges{copied(memory_.offsets, offsets), copied(memory_.neighbours, neighbours),
                            copied(memory_.lengths, lengths)};
    for_panels([&](std::int64_t first, std::int64_t count) {
      geodesic_sums(stream_.get(), nodes_, first, edges, memory_.hops, part(memory_.panel, 0, 2 * count * nodes_),
                    part(memory_.pair_sums, first * kPairSums, count * kPairSums));
    });
    return pair_sums();
  }

  DistanceSums distances(std::span<const double> points) override {
    point_distance_sums(stream_.get(), copied(memory_.points, points), memory_.hops, memory_.pair_sums);
    return pair_sums();
  }

 private:
  // Calls work(first, count) for runs of nodes that go through the panel one after the other.
  template <class Work>
  void for_panels(const Work& work) const {
    for (std::int64_t first = 0; first < nodes_; first += panel_nodes_) {
      work(first, std::min(panel_nodes_, nodes_ - first));
    }
  }

  template <typename T>
  DeviceSpan<T> copied(DeviceSpan<T> room, std::span<const T> values) const {
    const DeviceSpan<T> to = part(room, 0, std::ssize(values));
    stream_.copy_to_device(to, values.data());
    return to;
  }

  // Of the pairs whose keys are there: those without a path are sorted behind the others.
  void add_rank_sums(RowComparison& result) const {
    sort_keys(stream_.get(), memory_.keys, memory_.other_keys, memory_.sort_scratch);
    const DeviceSpan<double> sums = part(memory_.rank_sums, 0, rank_blocks(pairs_) * kRankSums);
    rank_sums(stream_.get(), part(memory_.keys, 0, pairs_), memory_.rank_of_hops, sums);
    std::vector<double> of_blocks(static_cast<std::size_t>(sums.size));
    stream_.copy_to_host<double>(of_blocks.data(), sums);
    stream_.wait();
    for (std::size_t i = 0; i < of_blocks.size(); i += kRankSums) {
      result.both += of_blocks[i];
      result.of_graph += of_blocks[i + 1];
      result.of_rows += of_blocks[i + 2];
    }
  }

  // Of all nodes, in their order.
  DistanceSums pair_sums() const {
    std::vector<double> of_nodes(static_cast<std::size_t>(memory_.pair_sums.size));
    stream_.copy_to_host<double>(of_nodes.data(), memory_.pair_sums);
    stream_.wait();
    DistanceSums sums;
    for (auto i = of_nodes.begin(); i != of_nodes.end(); i += kPairSums) {
      sums.count += i[0];
      sums.x += i[1];
      sums.y += i[2];
      sums.xx += i[3];
      sums.yy += i[4];
      sums.xy += i[5];
    }
    return sums;
  }

  std::int64_t nodes_, pairs_, panel_nodes_;
  DeviceBytes storage_;  // of memory_
  PairsMemory memory_;
  Stream stream_;
};

}  // namespace

std::unique_ptr<NodePairs> make_node_pairs(const PairedNodes& nodes, const NodePairsLimits& limits,
                                           std::int64_t panel_nodes) {
  return std::make_unique<CudaNodePairs>(nodes, limits, panel_nodes);
}

std::uint64_t node_pairs_memory_bytes(const NodePairsLimits& limits, std::int64_t panel_nodes) {
  return carved_bytes([&](Carver& carver) { PairsMemory().lay_out(carver, limits, panel_nodes); });
}

}  // namespace strider::cuda
