// Muon as an engine runs it: a model whose blocks it updates, beside AdamW for the rest.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>

#include "base/error.h"
#include "engine/engine.h"
#include "engine/groups.h"
#include "engine/ops/dense.h"
#include "golden_batch.h"
#include "model/folder.h"
#include "optimize/parameter_groups.h"

namespace strider {
namespace {

using test::Dense;

// The recurrences of Muon (matrices of the blocks) and AdamW (the rest) in float64, tensor by tensor.
class SlowOptimizer {
 public:
  SlowOptimizer(const ParameterLayout& layout, std::vector<float> start, RuleSettings rule, double weight_decay)
      : parameters(start.begin(), start.end()),
        layout_(layout),
        rule_(std::move(rule)),
        weight_decay_(weight_decay),
        first_(start.size()),
        second_(start.size()) {}

  void update(const std::vector<float>& gradient, std::span<const double> learning_rates, double max_norm) {
    number_ += 1;
    double square = 0.0;
    for (const float g : gradient) square += double{g} * double{g};
    const double scale = std::min(1.0, max_norm / (std::sqrt(square) + 1e-6));
    for (const ParameterInfo& tensor : layout_.tensors()) {
      const TensorKind kind = kind_of(layout_, tensor);
      const double rate = learning_rates[static_cast<std::size_t>(kind)];
      if (kind == TensorKind::kMatrices) {
        muon(tensor, gradient, scale, rate);
      } else {
        adamw(tensor, gradient, scale, rate, kind == TensorKind::kNorms ? 0.0 : weight_decay_);
      }
    }
  }

  std::vector<double> parameters;

 private:
  void muon(const ParameterInfo& tensor, const std::vector<float>& gradient, double scale, double rate) {
    Dense direction(tensor.shape[0], tensor.shape[1]);
    const auto offset = static_cast<std::size_t>(tensor.offset);
    for (std::size_t i = 0; i < direction.values.size(); ++i) {
      const double g = scale * double{gradient[offset + i]};
      double& buffer = first_[offset + i];
      buffer = rule_.momentum * buffer + (1.0 - rule_.momentum) * g;
      direction.values[i] = (1.0 - rule_.momentum) * g + rule_.momentum * buffer;
    }
    const Dense update = test::orthogonalized(rule_.orthogonalization, rule_.orthogonalization_steps, direction);
    const double ratio = static_cast<double>(tensor.shape[0]) / static_cast<double>(tensor.shape[1]);
    for (std::size_t i = 0; i < update.values.size(); ++i) {
      double& p = parameters[offset + i];
      p = p * (1.0 - rate * weight_decay_) - rate * std::sqrt(std::max(1.0, ratio)) * update.values[i];
    }
  }

  void adamw(const ParameterInfo& tensor, const std::vector<float>& gradient, double scale, double rate,
             double weight_decay) {
    for (auto i = static_cast<std::size_t>(tensor.offset); i < static_cast<std::size_t>(tensor.offset + tensor.size);
         ++i) {
      const double g = scale * double{gradient[i]};
      first_[i] = rule_.beta1 * first_[i] + (1.0 - rule_.beta1) * g;
      second_[i] = rule_.beta2 * second_[i] + (1.0 - rule_.beta2) * g * g;
      const double mean = first_[i] / (1.0 - std::pow(rule_.beta1, number_));
      const double square = second_[i] / (1.0 - std::pow(rule_.beta2, number_));
      parameters[i] = parameters[i] * (1.0 - rate * weight_decay) - rate * mean / (std::sqrt(square) + rule_.eps);
    }
  }

  const ParameterLayout& layout_;
  RuleSettings rule_;
  double weight_decay_;
  std::vector<double> first_, second_;
  int number_ = 0;
};

class Muon : public testing::TestWithParam<const char*>, protected test::GoldenBatch {
 protected:
  void SetUp() override {
    read(GetParam());
    losses.resize(views.size());
  }

  std::unique_ptr<Engine> engine(int threads, const RuleSettings& rule, Precision precision = Precision::kFloat32) {
    return GoldenBatch::engine(threads, precision, trainer_groups(ParameterLayout(config), rule, 0.1));
  }

  std::vector<double> losses;
  const std::array<double, kTensorKinds> rates = {1e-3, 1e-2, 3e-3, 2e-3};
};

// Square, tall and wide matrices; q, k and v of different heights, and panels that have rows of two of them.
INSTANTIATE_TEST_SUITE_P(Golden, Muon,
                         testing::Values("gradients", "gradients_gqa_tied", "../golden_extra/gradients_uneven_heads"));

TEST_P(Muon, FiftyStepsEqualTheRecurrenceInFloat64) {
  for (const auto method : {Orthogonalization::kNewtonSchulz, Orthogonalization::kPolarExpress}) {
    const RuleSettings rule{.name = "muon", .momentum = 0.95, .orthogonalization = method};
    const auto model = engine(2, rule);
    SlowOptimizer slow(model->layout(), model->parameters(), rule, 0.1);
    const std::vector<float> start = model->parameters();
    for (int step = 0; step < 50; ++step) {
      model->forward_backward(views, 100.0, losses);
      slow.update(model->gradient(), rates, 1.0);
      model->update(rates, 1.0);
    }
    const std::vector<float> found = model->parameters();
    for (const ParameterInfo& tensor : model->layout().tensors()) {
      double difference = 0.0, moved = 0.0;
      for (auto i = static_cast<std::size_t>(tensor.offset); i < static_cast<std::size_t>(tensor.offset + tensor.size);
           ++i) {
        difference = std::max(difference, std::abs(found[i] - slow.parameters[i]));
        moved = std::max(moved, std::abs(double{found[i]} - double{start[i]}));
      }
      EXPECT_LT(difference, 1e-4 * moved) << tensor.name << " moved by " << moved;
    }
  }
}

TEST_P(Muon, SameBitsForAnyNumberOfThreads) {
  for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16}) {
    std::vector<float> first;
    for (const int threads : {1, 2, 3, 7}) {
      const auto model = engine(threads, {.name = "muon"}, precision);
      for (int step = 0; step < 5; ++step) {
        model->forward_backward(views, 100.0, losses);
        model->update(rates, 1.0);
      }
      if (first.empty()) first = model->parameters();
      EXPECT_EQ(model->parameters(), first) << threads;
    }
  }
}

// The copies of the weights that products read are those of the new weights.
TEST_P(Muon, AStepUsesTheWeightsOfTheOneBefore) {
  const auto model = engine(3, {.name = "muon"});
  model->forward_backward(views, 100.0, losses);
  model->update(rates, 1.0);
  model->forward_backward(views, 100.0, losses);
  const auto fresh = engine(1, {.name = "muon"});
  fresh->set_parameters(model->parameters());
  std::vector<double> expected(views.size());
  fresh->forward_backward(views, 100.0, expected);
  EXPECT_EQ(losses, expected);
  EXPECT_EQ(model->gradient(), fresh->gradient());
}

TEST_P(Muon, KeepsItsMomentumForMatricesAndAdamsForTheRest) {
  std::int64_t matrices = 0;
  const ParameterLayout layout(config);
  for (const ParameterInfo& tensor : layout.tensors()) {
    if (kind_of(layout, tensor) == TensorKind::kMatrices) matrices += tensor.size;
  }
  std::map<std::string, std::int64_t> floats;
  for (const StateBuffer& state : engine(1, {.name = "muon"})->optimizer_state()) floats[state.name] = state.floats;
  const std::map<std::string, std::int64_t> expected{
      {"exp_avg", layout.total() - matrices}, {"exp_avg_sq", layout.total() - matrices}, {"momentum_buffer", matrices}};
  EXPECT_EQ(floats, expected);
}

TEST_P(Muon, RefusesWhatIsNoMatrix) {
  try {
    make_engine(config, {.max_length = 16, .groups = test::all_alike(ParameterLayout(config), {.name = "muon"})});
    FAIL() << "norms were accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("input_layernorm.weight"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace strider
