#include "engine/cpu/optimizer_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <tuple>
#include <utility>

#include "base/error.h"

namespace strider {
namespace {

constexpr std::size_t kNoGroup = static_cast<std::size_t>(-1);

std::vector<std::size_t> group_of_each_tensor(const ParameterLayout& layout, std::span<const ParameterGroup> groups) {
  std::vector<std::size_t> group_of(layout.tensors().size(), kNoGroup);
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

// The rule of each group, and the group of each tensor.
struct AssignedRules {
  AssignedRules(const ParameterLayout& layout, std::span<const ParameterGroup> groups)
      : group_of(group_of_each_tensor(layout, groups)) {
    for (const ParameterGroup& group : groups) rules.push_back(make_update_rule(group.rule));
    for (std::size_t tensor = 0; tensor < group_of.size(); ++tensor) {
      const ParameterInfo& info = layout.tensors()[tensor];
      if (rule_of(tensor).updates_whole_matrices() && info.shape.size() != 2) {
        throw Error(fmt::format("{} updates matrices, and the tensor {} has {} dimension(s)",
                                groups[group_of[tensor]].rule.name, info.name, info.shape.size()));
      }
    }
  }

  const UpdateRule& rule_of(std::size_t tensor) const { return *rules[group_of[tensor]]; }

  std::vector<std::size_t> group_of;
  std::vector<std::unique_ptr<UpdateRule>> rules;
};

// Both sides of a tensor of two dimensions.
std::pair<std::int64_t, std::int64_t> sides(const ParameterInfo& info) {
  return {info.shape[0], info.shape[1]};
}

// Cuts the flat parameters into runs that a rule can update.
class RunCutter {
 public:
  RunCutter(const ParameterLayout& layout, const AssignedRules& assigned, std::span<const OptimizerBuffer> buffers)
      : layout_(layout), assigned_(assigned), buffers_(buffers) {}

  // A range, cut at the ends of tensors.
  std::vector<OptimizerPlan::Run> runs(std::int64_t begin, std::int64_t end) const {
    std::vector<OptimizerPlan::Run> runs;
    for (std::size_t tensor = 0; tensor < layout_.tensors().size(); ++tensor) {
      const ParameterInfo& info = layout_.tensors()[tensor];
      const std::int64_t first = std::max(begin, info.offset);
      const std::int64_t last = std::min(end, info.offset + info.size);
      if (first < last) {
        runs.push_back({.group = assigned_.group_of[tensor],
                        .offset = first,
                        .count = last - first,
                        .states = states(tensor, first - info.offset)});
      }
    }
    return runs;
  }

  // A tensor in as large runs as its rule and the sharing out among threads allow.
  std::vector<OptimizerPlan::Unit> units_of(std::size_t tensor) const {
    const ParameterInfo& info = layout_.tensors()[tensor];
    std::vector<OptimizerPlan::Unit> units;
    if (assigned_.rule_of(tensor).updates_whole_matrices()) {
      units.push_back({.runs = runs(info.offset, info.offset + info.size)});
      std::tie(units.back().runs.front().rows, units.back().runs.front().columns) = sides(info);
      return units;
    }
    const std::int64_t end = info.offset + info.size;
    for (std::int64_t begin = info.offset; begin < end; begin += kUpdateFloats) {
      units.push_back({.runs = runs(begin, std::min(end, begin + kUpdateFloats))});
    }
    return units;
  }

  // The tensors that a packed matrix consists of.
  std::vector<std::size_t> tensors_of(const Weights::Matrix& matrix) const {
    const std::int64_t end = matrix.offset + matrix.shape.in_features * matrix.shape.out_features;
    std::vector<std::size_t> tensors;
    for (std::size_t tensor = 0; tensor < layout_.tensors().size(); ++tensor) {
      const std::int64_t offset = layout_.tensors()[tensor].offset;
      if (matrix.offset <= offset && offset < end) tensors.push_back(tensor);
    }
    return tensors;
  }

 private:
  std::vector<float*> states(std::size_t tensor, std::int64_t at) const {
    std::vector<float*> states;
    for (const std::string_view name : assigned_.rule_of(tensor).state_names()) {
      const auto buffer =
          std::ranges::find_if(buffers_, [&](const OptimizerBuffer& b) { return b.about.name == name; });
      float* const values = buffer->values;
      states.push_back(values == nullptr ? nullptr : values + buffer->offset_of_tensor[tensor] + at);
    }
    return states;
  }

  const ParameterLayout& layout_;
  const AssignedRules& assigned_;
  std::span<const OptimizerBuffer> buffers_;
};

// Whole panels of rows, about kUpdateFloats each: calls take(first_row, last_row).
template <typename Take>
void for_panels(const Weights::Matrix& matrix, const Take& take) {
  const std::int64_t rows = std::max<std::int64_t>(1, kUpdateFloats / (matrix.shape.in_features * kPanel)) * kPanel;
  for (std::int64_t first = 0; first < matrix.shape.out_features; first += rows) {
    take(first, std::min(matrix.shape.out_features, first + rows));
  }
}

// How much a unit costs beside others of whole matrices: products with the square of the shorter side.
std::int64_t cost_of(const OptimizerPlan::Unit& unit) {
  const OptimizerPlan::Run& run = unit.runs.front();
  return run.count * std::min(run.rows, run.columns);
}

}  // namespace

std::vector<OptimizerBuffer> list_optimizer_buffers(const ParameterLayout& layout,
                                                    std::span<const ParameterGroup> groups) {
  std::vector<OptimizerBuffer> buffers;
  if (groups.empty()) return buffers;
  const AssignedRules assigned(layout, groups);
  const std::size_t tensors = layout.tensors().size();
  for (std::size_t tensor = 0; tensor < tensors; ++tensor) {
    for (const std::string_view name : assigned.rule_of(tensor).state_names()) {
      auto buffer = std::ranges::find_if(buffers, [&](const OptimizerBuffer& b) { return b.about.name == name; });
      if (buffer == buffers.end()) {
        OptimizerBuffer added;
        added.about.name = name;
        added.offset_of_tensor.assign(tensors, -1);
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

std::uint64_t update_scratch_bytes(const ParameterLayout& layout, std::span<const ParameterGroup> groups) {
  if (groups.empty()) return 0;
  const AssignedRules assigned(layout, groups);
  std::uint64_t most = 0;
  for (std::size_t tensor = 0; tensor < layout.tensors().size(); ++tensor) {
    const UpdateRule& rule = assigned.rule_of(tensor);
    if (!rule.updates_whole_matrices()) continue;
    const auto [rows, columns] = sides(layout.tensors()[tensor]);
    most = std::max(most, rule.scratch_bytes(rows, columns));
  }
  return most;
}

OptimizerPlan::OptimizerPlan(const ParameterLayout& layout, std::span<const Weights::Matrix> matrices,
                             std::span<const ParameterGroup> groups, std::span<const OptimizerBuffer> buffers)
    : groups_(groups.begin(), groups.end()) {
  if (groups.empty()) return;
  AssignedRules assigned(layout, groups_);
  const RunCutter cutter(layout, assigned, buffers);
  const auto add = [this](std::vector<Unit> units) {
    for (Unit& unit : units) units_.push_back(std::move(unit));
  };
  for (const Weights::Matrix& matrix : matrices) {
    const std::vector<std::size_t> tensors = cutter.tensors_of(matrix);
    const auto is_whole = [&](std::size_t tensor) { return assigned.rule_of(tensor).updates_whole_matrices(); };
    if (std::ranges::any_of(tensors, is_whole)) {
      // A panel may have rows of several tensors, so that it is packed when all of them are done.
      for (const std::size_t tensor : tensors) add(cutter.units_of(tensor));
      for_panels(matrix, [&](std::int64_t first, std::int64_t last) {
        packings_.push_back({{}, &matrix, first, last});
      });
    } else {
      const std::int64_t in = matrix.shape.in_features;
      for_panels(matrix, [&](std::int64_t first, std::int64_t last) {
        units_.push_back({cutter.runs(matrix.offset + first * in, matrix.offset + last * in), &matrix, first, last});
      });
    }
  }
  for (std::size_t tensor = 0; tensor < layout.tensors().size(); ++tensor) {
    const ParameterInfo& info = layout.tensors()[tensor];
    const bool is_packed = info.offset == layout.lm_head() || (!info.is_embedding && info.decays);
    if (!is_packed) add(cutter.units_of(tensor));
  }
  // The longest first, so that no thread begins one when the others are done.
  std::ranges::stable_sort(units_, std::greater<>(), cost_of);
  rules_ = std::move(assigned.rules);
}

void OptimizerPlan::set_weight_decays(std::span<const double> decays) {
  for (std::size_t group = 0; group < groups_.size(); ++group) groups_[group].weight_decay = decays[group];
}

void OptimizerPlan::update(const Run& run, const UpdateNumbers& numbers, const float* gradient, float* values,
                           std::byte* scratch) const {
  rules_[run.group]->update({.learning_rate = numbers.learning_rates[run.group],
                             .weight_decay = groups_[run.group].weight_decay,
                             .gradient_scale = numbers.gradient_scale,
                             .number = numbers.number},
                            {.count = run.count,
                             .gradient = gradient + run.offset,
                             .parameters = values + run.offset,
                             .states = run.states,
                             .rows = run.rows,
                             .columns = run.columns,
                             .scratch = scratch});
}

}  // namespace strider
