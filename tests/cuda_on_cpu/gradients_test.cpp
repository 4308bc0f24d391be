// The CUDA engine against torch's logits, losses and gradients, and against the CPU's engine.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/cuda/cuda_engine.h"
#include "engine/groups.h"
#include "golden_batch.h"
#include "gpu_under_test.h"
#include "io/safetensors.h"

namespace strider {
namespace {

double largest(const std::vector<float>& values) {
  double most = 0.0;
  for (const float value : values) most = std::max(most, std::abs(double{value}));
  return most;
}

class CudaGradients : public testing::TestWithParam<const char*>, protected test::GoldenBatch {
 protected:
  void SetUp() override {
    read(GetParam());
    for (const auto& walk : batch) predicted += static_cast<double>(walk.size()) - 1.0;
  }
  void TearDown() override { test::run_backwards(false); }

  EngineSettings settings(std::vector<ParameterGroup> groups) const {
    return engine_settings(1, Precision::kFloat32, std::move(groups));
  }

  std::unique_ptr<Engine> engine(std::vector<ParameterGroup> groups, std::int64_t rows = cuda::kBatchRows) const {
    return with_golden_weights(
        cuda::make_engine_with(config, settings(std::move(groups)), test::make_products(), rows));
  }
  std::unique_ptr<Engine> engine(std::int64_t rows = cuda::kBatchRows) const {
    return engine(test::all_alike(ParameterLayout(config)), rows);
  }

  std::vector<float> torch(const std::string& name) const {
    const SafetensorsFile expected(folder / "expected.safetensors");
    const TensorEntry* entry = expected.find(name);
    EXPECT_NE(entry, nullptr) << name;
    std::vector<float> values(static_cast<std::size_t>(entry->elements()));
    expected.read(*entry, values);
    return values;
  }

  // The batch `copies` times in one step has the same mean loss and the same gradient.
  void expect_torch(int copies, std::int64_t rows) {
    const std::vector<WalkView> once = views;
    for (int copy = 1; copy < copies; ++copy) views.insert(views.end(), once.begin(), once.end());
    predicted *= copies;
    const auto model = engine(rows);
    std::vector<double> losses(views.size());
    model->forward_backward(views, predicted, losses);
    double loss = 0.0;
    for (const double sum : losses) loss += sum / predicted;
    EXPECT_NEAR(loss, torch("loss")[0], 1e-5);
    const std::vector<float> ours = model->gradient();
    double squares = 0.0;
    for (const ParameterInfo& tensor : model->layout().tensors()) {
      const std::vector<float> gradient = torch("grad." + tensor.name);
      ASSERT_EQ(static_cast<std::int64_t>(gradient.size()), tensor.size);
      const double tolerance = 1e-5 * largest(gradient);
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        squares += std::pow(ours[static_cast<std::size_t>(tensor.offset) + i], 2);
        ASSERT_NEAR(ours[static_cast<std::size_t>(tensor.offset) + i], gradient[i], tolerance)
            << tensor.name << ", " << i;
      }
    }
    EXPECT_NEAR(model->gradient_norm(), std::sqrt(squares), 1e-9 * std::sqrt(squares));
  }

  double predicted = 0.0;
};

INSTANTIATE_TEST_SUITE_P(Golden, CudaGradients,
                         testing::Values("gradients", "gradients_gqa_tied", "../golden_extra/gradients_head_dim_1",
                                         "../golden_extra/gradients_uneven_heads"));

TEST_P(CudaGradients, EqualTorch) {
  expect_torch(1, cuda::kBatchRows);
}

TEST_P(CudaGradients, EqualTorchInSeveralBatches) {
  expect_torch(3, 64);
}

TEST_P(CudaGradients, LogitsEqualTorch) {
  const std::vector<float> logits = torch("logits");  // [walks, 16, vocab]
  const std::vector<float> ours = engine()->logits(views);
  const auto vocab = static_cast<std::size_t>(config.vocab_size);
  const double bound = 1e-5 * largest(logits);
  std::size_t row = 0;
  for (std::size_t walk = 0; walk < batch.size(); ++walk) {
    for (std::size_t t = 0; t < batch[walk].size(); ++t, ++row) {
      for (std::size_t v = 0; v < vocab; ++v) {
        ASSERT_NEAR(ours[row * vocab + v], logits[(walk * 16 + t) * vocab + v], bound);
      }
    }
  }
  EXPECT_EQ(ours.size(), row * vocab);
}

// What takes many passes, with tied embeddings and without, of two of the models.
class CudaTraining : public CudaGradients {};

INSTANTIATE_TEST_SUITE_P(Golden, CudaTraining,
                         testing::Values("gradients_gqa_tied", "../golden_extra/gradients_uneven_heads"));

// Whatever order threads and blocks take, and again with the graphs that are there already.
TEST_P(CudaTraining, SameBitsInAnyOrderAndInEveryRun) {
  std::vector<std::vector<float>> found;
  for (const bool backwards : {false, true}) {
    test::run_backwards(backwards);
    const auto model = engine(64);
    std::vector<double> losses(views.size()), again(views.size());
    model->forward_backward(views, predicted, losses);
    model->update(1e-2, 1.0);
    found.push_back(model->parameters());
    model->forward_backward(views, predicted, losses);
    found.push_back(model->gradient());
    model->forward_backward(views, predicted, again);
    EXPECT_EQ(model->gradient(), found.back());
    EXPECT_EQ(again, losses);
    model->evaluate(views, again);
    EXPECT_EQ(again, losses);
  }
  EXPECT_EQ(found[0], found[2]);
  EXPECT_EQ(found[1], found[3]);
}

TEST_P(CudaTraining, TrainAsTheCpuDoes) {
  const ParameterLayout layout(config);
  // Two rules, two groups of one of them, and clipping in force.
  std::vector<ParameterGroup> groups(3);
  groups[0] = {.rule = {}, .weight_decay = 0.1, .tensors = {}};
  groups[1] = {.rule = {.beta1 = 0.8, .beta2 = 0.95}, .weight_decay = 0.0, .tensors = {}};
  groups[2] = {.rule = {.name = "sgd"}, .weight_decay = 0.01, .tensors = {}};
  for (std::size_t tensor = 0; tensor < layout.tensors().size(); ++tensor) groups[tensor % 3].tensors.push_back(tensor);
  const auto gpu = engine(groups);
  const auto cpu = GoldenBatch::engine(1, Precision::kFloat32, groups);
  std::vector<double> gpu_losses(views.size()), cpu_losses(views.size());
  for (int step = 1; step <= 4; ++step) {
    const std::vector<double> rates = {1e-3 * step, 2e-3, 5e-2 / step};
    for (Engine* model : {gpu.get(), cpu.get()}) {
      model->forward_backward(views, predicted, model == gpu.get() ? gpu_losses : cpu_losses);
      model->update(rates, 0.05);
    }
    EXPECT_NEAR(gpu->gradient_norm(), cpu->gradient_norm(), 1e-5 * cpu->gradient_norm());
    for (std::size_t i = 0; i < views.size(); ++i) EXPECT_NEAR(gpu_losses[i], cpu_losses[i], 1e-5 * cpu_losses[i]);
  }
  EXPECT_EQ(gpu->updates(), 4);
  const std::vector<float> ours = gpu->parameters();
  const std::vector<float> theirs = cpu->parameters();
  for (std::size_t i = 0; i < ours.size(); ++i) ASSERT_NEAR(ours[i], theirs[i], 2e-5) << i;
  ASSERT_EQ(gpu->optimizer_state().size(), cpu->optimizer_state().size());
  for (const StateBuffer& state : cpu->optimizer_state()) {
    std::vector<float> a(static_cast<std::size_t>(state.floats)), b(a.size());
    gpu->copy_optimizer_state(state.name, a);
    cpu->copy_optimizer_state(state.name, b);
    const double bound = 1e-4 * largest(b);
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], bound) << state.name << ", " << i;
  }
}

// Parameters, state and the number of updates are all there is to a run.
TEST_P(CudaTraining, GoOnFromCopiedState) {
  const auto whole = engine();
  std::vector<double> losses(views.size());
  const auto step = [&](Engine& model) {
    model.forward_backward(views, predicted, losses);
    model.update(1e-2, 1.0);
  };
  step(*whole);
  const auto resumed = engine();
  resumed->set_parameters(whole->parameters());
  for (const StateBuffer& state : whole->optimizer_state()) {
    std::vector<float> values(static_cast<std::size_t>(state.floats));
    whole->copy_optimizer_state(state.name, values);
    resumed->set_optimizer_state(state.name, values);
  }
  resumed->set_updates(whole->updates());
  step(*whole);
  step(*resumed);
  EXPECT_EQ(resumed->parameters(), whole->parameters());
}

TEST_P(CudaTraining, AStepThatIsGivenUpLeavesNoTrace) {
  for (int copy = 0; copy < 2; ++copy) views.insert(views.end(), batch.begin(), batch.end());
  const auto whole = engine(64);
  std::vector<double> expected(views.size()), losses(views.size());
  whole->forward_backward(views, predicted, expected);
  whole->update(1e-2, 1.0);
  const auto model = engine(64);
  const std::vector<float> before = model->parameters();
  EXPECT_EQ(model->forward_backward(views, predicted, losses, [] { return true; }), false);
  EXPECT_EQ(model->parameters(), before);
  model->forward_backward(views, predicted, losses);
  model->update(1e-2, 1.0);
  EXPECT_EQ(losses, expected);
  EXPECT_EQ(model->parameters(), whole->parameters());
}

TEST_P(CudaGradients, AnEngineWithoutGroupsEvaluatesAndCannotTrain) {
  const auto reader = engine(std::vector<ParameterGroup>());
  std::vector<double> losses(views.size()), training(views.size());
  EXPECT_THROW(reader->forward_backward(views, predicted, losses), std::logic_error);
  reader->evaluate(views, losses);
  engine()->forward_backward(views, predicted, training);
  EXPECT_EQ(losses, training);
}

// As bench/gpu_step.py counts them.
TEST_P(CudaGradients, LaunchAsManyKernelsAsTheDocsSay) {
  const auto model = engine();
  std::vector<double> losses(views.size());
  const std::optional<std::int64_t> before = test::launches();
  if (!before) GTEST_SKIP() << "a real GPU does not count its launches";
  model->forward_backward(views, predicted, losses);
  model->update(1e-2, 1.0);
  model->gradient();  // waits
  EXPECT_EQ(*test::launches() - *before, 13 + 15 * config.num_hidden_layers);
}

TEST_P(CudaGradients, RefuseWhatTheKernelsCannotDo) {
  LlamaConfig wide = config;
  wide.head_dim = 256;
  const auto make = [&](const LlamaConfig& model, EngineSettings asked) {
    return cuda::make_engine_with(model, asked, test::make_products());
  };
  EXPECT_ANY_THROW(make(wide, settings({})));
  EngineSettings unknown = settings(test::all_alike(ParameterLayout(config)));
  unknown.groups.front().rule.name = "lion";
  EXPECT_ANY_THROW(make(config, unknown));
}

}  // namespace
}  // namespace strider
