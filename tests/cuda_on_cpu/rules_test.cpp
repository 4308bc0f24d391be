// What updates the weights on the GPU, against the CPU's engine: Muon, whole steps as one graph and queued ones, and
// lm_head alone. And bfloat16 operands.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <set>

#include "engine/cuda/cuda_engine.h"
#include "engine/groups.h"
#include "golden_batch.h"
#include "gpu_under_test.h"

namespace strider {
namespace {

double largest(std::span<const float> values) {
  double most = 0.0;
  for (const float value : values) most = std::max(most, std::abs(double{value}));
  return most;
}

// Muon for the matrices of the blocks, AdamW for the rest, as OPTIMIZER=muon groups them.
std::vector<ParameterGroup> muon_and_adamw(const ParameterLayout& layout, Orthogonalization method) {
  ParameterGroup matrices{
      .rule = {.name = "muon", .momentum = 0.95, .orthogonalization = method, .orthogonalization_steps = 3},
      .weight_decay = 0.1,
      .tensors = {}};
  ParameterGroup others{.rule = {}, .weight_decay = 0.01, .tensors = {}};
  for (std::size_t tensor = 0; tensor < layout.tensors().size(); ++tensor) {
    const ParameterInfo& info = layout.tensors()[tensor];
    (info.shape.size() == 2 && !info.is_embedding ? matrices : others).tensors.push_back(tensor);
  }
  return {matrices, others};
}

class CudaRules : public testing::TestWithParam<const char*>, protected test::GoldenBatch {
 protected:
  void SetUp() override {
    read(GetParam());
    for (const auto& walk : batch) predicted += static_cast<double>(walk.size()) - 1.0;
    losses.resize(views.size());
  }

  std::unique_ptr<Engine> gpu(const std::vector<ParameterGroup>& groups, Precision precision = Precision::kFloat32) {
    return with_golden_weights(
        cuda::make_engine_with(config, engine_settings(1, precision, groups), test::make_products(precision)));
  }
  std::vector<ParameterGroup> alike() const { return test::all_alike(ParameterLayout(config)); }
  StepWork work(std::span<const double> rates) const {
    return {.walks = {.tokens = views}, .denominator = predicted, .learning_rates = rates, .max_grad_norm = 0.5};
  }
  double step(Engine& engine, std::span<const double> rates) {
    return engine.step(work(rates), losses, [] { return false; }).value();
  }

  void expect_as_cpu(const std::vector<ParameterGroup>& groups, std::span<const double> rates,
                     const Learning& learning) {
    const auto ours = gpu(groups);
    const auto theirs = engine(1, Precision::kFloat32, groups);
    for (Engine* model : {ours.get(), theirs.get()}) {
      step(*model, rates);
      model->learn(learning);
      model->set_weight_decays(std::vector<double>(groups.size(), 0.3));
      for (int i = 0; i < 3; ++i) step(*model, rates);
    }
    EXPECT_NEAR(ours->gradient_norm(), theirs->gradient_norm(), 1e-4 * theirs->gradient_norm());
    const std::vector<float> a = ours->parameters();
    const std::vector<float> b = theirs->parameters();
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-4) << i;
    for (const StateBuffer& state : theirs->optimizer_state()) {
      std::vector<float> mine(static_cast<std::size_t>(state.floats)), other(mine.size());
      ours->copy_optimizer_state(state.name, mine);
      theirs->copy_optimizer_state(state.name, other);
      const double bound = 2e-4 * largest(other);
      for (std::size_t i = 0; i < mine.size(); ++i) ASSERT_NEAR(mine[i], other[i], bound) << state.name << ", " << i;
    }
  }

  double predicted = 0.0;
  std::vector<double> losses;
};

INSTANTIATE_TEST_SUITE_P(Golden, CudaRules,
                         testing::Values("gradients", "gradients_gqa_tied", "../golden_extra/gradients_uneven_heads"));

TEST_P(CudaRules, MuonIsTheCpus) {
  const std::vector<double> rates = {0.02, 1e-3};
  for (const auto method : {Orthogonalization::kNewtonSchulz, Orthogonalization::kPolarExpress}) {
    expect_as_cpu(muon_and_adamw(ParameterLayout(config), method), rates, all_learn(config));
  }
}

// Of a part of the model, in one launch of a rule or in two: with adamw for all, and with muon for the matrices.
TEST_P(CudaRules, OnlyAPartLearnsWhereAskedFor) {
  if (config.tie_word_embeddings) GTEST_SKIP() << "lm_head is the embeddings";
  const ParameterLayout layout(config);
  const std::int64_t layers = config.num_hidden_layers;
  const std::vector<double> rates = {0.02, 1e-3};
  for (const Learning learning : {lm_head_learns(config), Learning{.first_layer = 1, .layers = layers},
                                  Learning{.first_layer = 0, .layers = 1}}) {
    for (const std::vector<ParameterGroup>& groups :
         {alike(), muon_and_adamw(layout, Orthogonalization::kPolarExpress)}) {
      const auto of_groups = std::span(rates).last(groups.size());
      const auto ours = gpu(groups);
      const std::vector<float> before = ours->parameters();
      ours->learn(learning);
      step(*ours, of_groups);
      const std::vector<float> after = ours->parameters();
      for (const ParameterInfo& tensor : layout.tensors()) {
        const auto first = static_cast<std::ptrdiff_t>(tensor.offset);
        const bool is_same =
            std::equal(before.begin() + first, before.begin() + first + tensor.size, after.begin() + first);
        EXPECT_EQ(is_same, !learns(learning, layout, tensor.offset)) << tensor.name;
      }
      expect_as_cpu(groups, of_groups, learning);
    }
  }
}

// One graph, two calls, or queued one behind the other: the same bits.
TEST_P(CudaRules, StepsAreTheSameHoweverTheyAreLaunched) {
  for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16}) {
    const std::vector<ParameterGroup> groups =
        muon_and_adamw(ParameterLayout(config), Orthogonalization::kPolarExpress);
    const std::vector<std::vector<double>> rates = {{0.02, 1e-3}, {0.01, 2e-3}, {0.005, 3e-3}};
    const auto apart = gpu(groups, precision);
    std::vector<std::vector<double>> expected;
    std::vector<double> norms;
    for (const std::vector<double>& rate : rates) {
      apart->forward_backward(views, predicted, losses);
      norms.push_back(apart->gradient_norm());
      apart->update(rate, 0.5);
      expected.push_back(losses);
    }
    const auto whole = gpu(groups, precision);
    const auto queued = gpu(groups, precision);
    EXPECT_TRUE(queued->queue_step(work(rates[0])));
    for (std::size_t i = 0; i < rates.size(); ++i) {
      EXPECT_EQ(step(*whole, rates[i]), norms[i]);
      EXPECT_EQ(losses, expected[i]);
      if (i + 1 < rates.size()) {
        EXPECT_TRUE(queued->queue_step(work(rates[i + 1])));
      }
      EXPECT_EQ(step(*queued, rates[i]), norms[i]);
      EXPECT_EQ(losses, expected[i]);
    }
    EXPECT_EQ(whole->parameters(), apart->parameters());
    EXPECT_EQ(queued->parameters(), apart->parameters());
    EXPECT_EQ(queued->updates(), 3);
  }
}

// As bench/gpu_step.py counts them: of each shape of matrices seven kernels with three steps of orthogonalization.
TEST_P(CudaRules, LaunchAsManyKernelsAsTheDocsSay) {
  const ParameterLayout layout(config);
  const std::vector<ParameterGroup> groups = muon_and_adamw(layout, Orthogonalization::kPolarExpress);
  std::set<std::vector<std::int64_t>> shapes;
  for (const std::size_t tensor : groups[0].tensors) shapes.insert(layout.tensors()[tensor].shape);
  for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16}) {
    const auto model = gpu(groups, precision);
    const std::optional<std::int64_t> before = test::launches();
    if (!before) GTEST_SKIP() << "nothing counts launches on a real GPU";
    step(*model, std::vector<double>{0.02, 1e-3});
    EXPECT_EQ(*test::launches() - *before,
              13 + 15 * config.num_hidden_layers + 7 * static_cast<std::int64_t>(shapes.size()));
  }
}

// Evaluations take many times the walks of a step: an engine that has room for theirs copies no more for a step.
TEST_P(CudaRules, AStepCopiesItsOwnBatchesAlone) {
  if (!test::copied_bytes()) GTEST_SKIP() << "nothing counts copied bytes on a real GPU";
  std::vector<std::int64_t> copied;
  for (const std::int64_t times : {1, 50}) {
    EngineSettings settings = engine_settings(1, Precision::kFloat32, alike());
    settings.walks_per_step *= times;
    const auto model = with_golden_weights(cuda::make_engine_with(config, settings, test::make_products(), 64));
    const std::int64_t before = *test::copied_bytes();
    step(*model, std::vector<double>{1e-3});
    copied.push_back(*test::copied_bytes() - before);
  }
  EXPECT_LE(copied[1], 2 * copied[0]);  // its batches may have more tiles
}

// Parameters and state are those of when the copy was begun, whatever steps come before it is taken.
TEST_P(CudaRules, ACopyIsOfItsTime) {
  const std::vector<ParameterGroup> groups = muon_and_adamw(ParameterLayout(config), Orthogonalization::kPolarExpress);
  const std::vector<double> rates = {0.02, 1e-3};
  for (const bool asks : {false, true}) {
    const auto model = gpu(groups);
    step(*model, rates);
    const std::vector<float> expected = model->parameters();
    std::vector<std::vector<float>> expected_states, states;
    std::vector<std::span<float>> places;
    for (const StateBuffer& state : model->optimizer_state()) {
      expected_states.emplace_back(static_cast<std::size_t>(state.floats));
      model->copy_optimizer_state(state.name, expected_states.back());
      states.emplace_back(expected_states.back().size());
    }
    for (std::vector<float>& state : states) places.emplace_back(state);
    std::vector<float> parameters(expected.size());
    const auto copy = model->begin_copy(parameters, places);
    model->queue_step(work(rates));
    model->queue_step(work(rates));
    while (asks && !copy->is_there()) {
    }
    step(*model, rates);
    copy->wait();
    step(*model, rates);
    copy->take();
    EXPECT_EQ(parameters, expected);
    EXPECT_EQ(states, expected_states);
    EXPECT_NE(model->parameters(), expected);
  }
}

TEST_P(CudaRules, NoMoreStepsAreQueuedThanThereIsRoomFor) {
  const std::vector<double> rates = {1e-3};
  const auto model = gpu(alike());
  EXPECT_TRUE(model->queue_step(work(rates)));
  EXPECT_TRUE(model->queue_step(work(rates)));
  EXPECT_FALSE(model->queue_step(work(rates)));
}

// As on the CPU, where a step that is not finite makes no update.
TEST_P(CudaRules, AGradientThatIsNotFiniteChangesNothing) {
  const std::vector<ParameterGroup> groups = muon_and_adamw(ParameterLayout(config), Orthogonalization::kPolarExpress);
  const auto model = gpu(groups);
  std::vector<float> broken = model->parameters();
  broken.back() = std::numeric_limits<float>::infinity();
  model->set_parameters(broken);
  EXPECT_FALSE(std::isfinite(step(*model, std::vector<double>{0.02, 1e-3})));
  EXPECT_EQ(model->parameters(), broken);
}

// What eight bits of mantissa leave of loss, norm and every tensor's gradient.
TEST_P(CudaRules, Bfloat16IsNearFloat32) {
  const auto exact = gpu(alike());
  const auto rounded = gpu(alike(), Precision::kBfloat16);
  std::vector<double> near(views.size());
  exact->forward_backward(views, predicted, losses);
  rounded->forward_backward(views, predicted, near);
  for (std::size_t i = 0; i < views.size(); ++i) {
    EXPECT_NEAR(near[i], losses[i], 0.01 * losses[i]);
    if (views[i].size() > 1) {
      EXPECT_NE(near[i], losses[i]);
    }
  }
  EXPECT_NEAR(rounded->gradient_norm(), exact->gradient_norm(), 0.02 * exact->gradient_norm());
  const std::vector<float> a = rounded->gradient();
  const std::vector<float> b = exact->gradient();
  for (const ParameterInfo& tensor : exact->layout().tensors()) {
    const auto theirs =
        std::span(b).subspan(static_cast<std::size_t>(tensor.offset), static_cast<std::size_t>(tensor.size));
    double squares = 0.0, difference = 0.0;
    for (std::size_t i = 0; i < theirs.size(); ++i) {
      squares += std::pow(theirs[i], 2);
      difference += std::pow(a[static_cast<std::size_t>(tensor.offset) + i] - theirs[i], 2);
    }
    EXPECT_LE(std::sqrt(difference), 0.04 * std::sqrt(squares)) << tensor.name;
  }
}

// The weights keep all their bits, though products see rounded ones: small steps add up.
TEST_P(CudaRules, Bfloat16KeepsFloat32Weights) {
  const auto model = gpu(alike(), Precision::kBfloat16);
  const std::vector<float> before = model->parameters();
  for (int i = 0; i < 4; ++i) step(*model, std::vector<double>{1e-6});
  const std::vector<float> after = model->parameters();
  std::size_t changed = 0;
  for (std::size_t i = 0; i < before.size(); ++i) changed += before[i] != after[i] ? 1 : 0;
  EXPECT_GT(changed, before.size() / 2);
}

TEST(CudaBfloat16, RoundsToNearestTiesToEven) {
  const auto rounded = [](float value) { return cuda::to_float(cuda::to_bfloat16(value)); };
  EXPECT_EQ(rounded(1.0F), 1.0F);
  EXPECT_EQ(rounded(1.0F + 0x1p-8F), 1.0F);                       // a tie, to the even one below
  EXPECT_EQ(rounded(1.0F + 3 * 0x1p-8F), 1.0F + 4 * 0x1p-8F);     // a tie, to the even one above
  EXPECT_EQ(rounded(1.0F + 0x1p-8F + 0x1p-20F), 1.0F + 0x1p-7F);  // just above a tie
  EXPECT_EQ(rounded(-1.0F - 0x1p-8F - 0x1p-20F), -1.0F - 0x1p-7F);
  EXPECT_EQ(rounded(std::numeric_limits<float>::infinity()), std::numeric_limits<float>::infinity());
  EXPECT_EQ(rounded(std::numeric_limits<float>::max()), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(rounded(std::numeric_limits<float>::quiet_NaN())));
  EXPECT_TRUE(std::isnan(rounded(std::bit_cast<float>(0x7F800001U))));
}

}  // namespace
}  // namespace strider
