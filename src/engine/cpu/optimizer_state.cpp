#include "engine/cpu/optimizer_state.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace strider {
namespace {

constexpr std::size_t kNoGroup = static_cast<std::size_t>(-1);

std::vector<std::size_t> group_of_each_tensor(const ParameterLayout& layout, std::span<const ParameterGroup> groups) {
  std::vector<std::size_t> group_of(layout.tensors().size(), kNoGroup);
  if (groups.empty()) return group_of;
  for (std::size_t group = 0; group < groups.size(); ++group) {
    for (const std::size_t tensor : groups[group].tensors) {
      if (group_of.at(tensor) != kNoGroup) {
        throw Error(fmt::format("the tensor {} is in two parameter groups", layout.tensors()[tensor].name));
      }
      group_of[tensor] = group;
    }
  }
  const auto none = std::ranges::find(group_of, kNoGroup);
  if (none != group_of.end()) {
    const auto tensor = static_cast<std::size_t>(none - group_of.begin());
    throw Error(fmt::format("the tensor {} is in no parameter group", layout.tensors()[tensor].name));
  }
  return group_of;
}

// Cuts ranges of the flat parameters at the ends of tensors.
class RunCutter {
 public:
  RunCutter(const ParameterLayout& layout, std::span<const ParameterGroup> groups,
            std::span<const std::unique_ptr<UpdateRule>> rules, std::span<const OptimizerBuffer> buffers)
      : layout_(layout), group_of_(group_of_each_tensor(layout, groups)), rules_(rules), buffers_(buffers) {}

  std::vector<OptimizerPlan::Run> runs(std::int64_t begin, std::int64_t end) const {
    std::vector<OptimizerPlan::Run> runs;
    for (std::size_t tensor = 0; tensor < group_of_.size(); ++tensor) {
      const ParameterInfo& info = layout_.tensors()[tensor];
      const std::int64_t first = std::max(begin, info.offset);
      const std::int64_t last = std::min(end, info.offset + info.size);
      if (first < last) {
        runs.push_back({group_of_[tensor], first, last - first, states(tensor, first - info.offset)});
      }
    }
    return runs;
  }

 private:
  std::vector<float*> states(std::size_t tensor, std::int64_t at) const {
    std::vector<float*> states;
    for (const std::string_view name : rules_[group_of_[tensor]]->state_names()) {
      const auto buffer =
          std::ranges::find_if(buffers_, [&](const OptimizerBuffer& b) { return b.about.name == name; });
      states.push_back(buffer->values + buffer->offset_of_tensor[tensor] + at);
    }
    return states;
  }

  const ParameterLayout& layout_;
  std::vector<std::size_t> group_of_;
  std::span<const std::unique_ptr<UpdateRule>> rules_;
  std::span<const OptimizerBuffer> buffers_;
};

}  // namespace

std::vector<OptimizerBuffer> list_optimizer_buffers(const ParameterLayout& layout,
                                                    std::span<const ParameterGroup> groups) {
  std::vector<OptimizerBuffer> buffers;
  if (groups.empty()) return buffers;
  const std::vector<std::size_t> group_of = group_of_each_tensor(layout, groups);
  std::vector<std::unique_ptr<UpdateRule>> rules;
  for (const ParameterGroup& group : groups) rules.push_back(make_update_rule(group.rule));
  for (std::size_t tensor = 0; tensor < group_of.size(); ++tensor) {
    for (const std::string_view name : rules[group_of[tensor]]->state_names()) {
      auto buffer = std::ranges::find_if(buffers, [&](const OptimizerBuffer& b) { return b.about.name == name; });
      if (buffer == buffers.end()) {
        OptimizerBuffer added;
        added.about.name = name;
        added.offset_of_tensor.assign(group_of.size(), -1);
        buffers.push_back(std::move(added));
        buffer = buffers.end() - 1;
      }
      buffer->offset_of_tensor[tensor] = buffer->about.floats;
      buffer->about.floats += layout.tensors()[tensor].size;
    }
  }
  return buffers;
}

std::vector<StateBuffer> optimizer_state_of(const ParameterLayout& layout, std::span<const ParameterGroup> groups) {
  std::vector<StateBuffer> states;
  for (const OptimizerBuffer& buffer : list_optimizer_buffers(layout, groups)) states.push_back(buffer.about);
  return states;
}

OptimizerPlan::OptimizerPlan(const Weights& weights, std::span<const ParameterGroup> groups,
                             std::span<const OptimizerBuffer> buffers)
    : groups_(groups.begin(), groups.end()) {
  if (groups.empty()) return;
  for (const ParameterGroup& group : groups_) rules_.push_back(make_update_rule(group.rule));
  const RunCutter cutter(weights.layout(), groups_, rules_, buffers);
  for (const Weights::Matrix& matrix : weights.matrices()) {
    const std::int64_t in = matrix.shape.in_features;
    const std::int64_t rows = std::max<std::int64_t>(1, kUpdateFloats / (in * kPanel)) * kPanel;
    for (std::int64_t first = 0; first < matrix.shape.out_features; first += rows) {
      const std::int64_t last = std::min(matrix.shape.out_features, first + rows);
      units_.push_back({cutter.runs(matrix.offset + first * in, matrix.offset + last * in), &matrix, first, last});
    }
  }
  for (const ParameterInfo& tensor : weights.layout().tensors()) {
    const bool is_packed = tensor.offset == weights.layout().lm_head() || (!tensor.is_embedding && tensor.decays);
    if (is_packed) continue;
    const std::int64_t end = tensor.offset + tensor.size;
    for (std::int64_t begin = tensor.offset; begin < end; begin += kUpdateFloats) {
      units_.push_back({cutter.runs(begin, std::min(end, begin + kUpdateFloats))});
    }
  }
}

void OptimizerPlan::update(const Run& run, double learning_rate, float gradient_scale, std::int64_t number,
                           const float* gradient, float* values) const {
  const ParameterGroup& group = groups_[run.group];
  rules_[run.group]->update(
      {.learning_rate = learning_rate * group.learning_rate_factor,
       .weight_decay = group.weight_decay,
       .gradient_scale = gradient_scale,
       .number = number},
      {.count = run.count, .gradient = gradient + run.offset, .parameters = values + run.offset, .states = run.states});
}

}  // namespace strider
