#include "engine/cuda/rules/muon.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace strider::cuda {

template <typename T>
void MuonMemory<T>::lay_out(Carver& carver, const ParameterLayout& layout, std::span<const ParameterGroup> groups,
                            std::span<const OptimizerBuffer> buffers) {
  batches.clear();
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const RuleSettings& rule = groups[g].rule;
    if (rule.name != "muon") continue;
    const OptimizerBuffer& buffer = *std::ranges::find_if(
        buffers, [](const OptimizerBuffer& candidate) { return candidate.about.name == "momentum_buffer"; });
    momentum = {buffer.values, buffer.about.floats};
    for (const std::size_t tensor : groups[g].tensors) {
      const ParameterInfo& info = layout.tensors()[tensor];
      if (info.shape.size() != 2) throw Error(fmt::format("muon cannot update {}, which is no matrix", info.name));
      const auto group = static_cast<std::int64_t>(g);
      auto batch = std::ranges::find_if(batches, [&](const MuonBatch& candidate) {
        return candidate.group == group && candidate.shape.rows == info.shape[0] &&
               candidate.shape.columns == info.shape[1];
      });
      if (batch == batches.end()) {
        batches.push_back({.group = group,
                           .shape = {.count = 0, .rows = info.shape[0], .columns = info.shape[1]},
                           .momentum = static_cast<float>(rule.momentum),
                           .steps = orthogonalization_steps(rule.orthogonalization, rule.orthogonalization_steps),
                           .norm_factor = orthogonalization_norm_factor(rule.orthogonalization),
                           .numbers = {},
                           .places = {}});
        batch = batches.end() - 1;
      }
      batch->shape.count += 1;
      batch->numbers.insert(batch->numbers.end(), {info.offset, buffer.offset_of_tensor[tensor]});
    }
  }
  std::vector<MatrixBatch> shapes;
  for (MuonBatch& batch : batches) {
    const auto count = static_cast<std::int64_t>(batch.numbers.size());
    batch.places = {carver.take<std::int64_t>(count), count};
    shapes.push_back(batch.shape);
  }
  orthogonalization.lay_out(carver, shapes);
}

template struct MuonMemory<float>;
template struct MuonMemory<Bfloat16>;

}  // namespace strider::cuda
