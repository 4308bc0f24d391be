#pragma once
// What an engine has to know about the optimizer: which tensors are updated by which rule, with which hyperparameters.
// The rules' arithmetic is each engine's own (engine/cpu/rules/).
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace strider {

/// How muon moves the singular values of an update towards 1 (engine/cpu/ops/orthogonalize.h).
enum class Orthogonalization { kNewtonSchulz, kPolarExpress };

/// The hyperparameters of all rules, under torch.optim's names; a rule reads those that it knows.
struct RuleSettings {
  std::string name = "adamw";                                              // one of update_rule_names()
  double beta1 = 0.9;                                                      // adamw
  double beta2 = 0.999;                                                    // adamw
  double eps = 1e-8;                                                       // adamw
  double momentum = 0.9;                                                   // sgd, muon
  Orthogonalization orthogonalization = Orthogonalization::kNewtonSchulz;  // muon
  std::int64_t orthogonalization_steps = 5;                                // muon; at least 1
};

/// Tensors that are updated alike. muon takes matrices only.
struct ParameterGroup {
  RuleSettings rule;
  double weight_decay = 0.0;
  std::vector<std::size_t> tensors = {};  // indices into ParameterLayout::tensors(); each tensor in exactly one group
};

/// One buffer of optimizer state: of all tensors whose rule keeps a state of that name, in the order of the layout.
struct StateBuffer {
  std::string name;  // as torch.optim names it: "exp_avg", "exp_avg_sq", "momentum_buffer"
  std::int64_t floats = 0;
};

}  // namespace strider
