// Logits, loss and every gradient of a small model against torch's.
#include <gtest/gtest.h>

#include <atomic>

#include "engine/engine.h"
#include "engine/groups.h"
#include "golden_batch.h"
#include "io/safetensors.h"
#include "model/folder.h"

namespace strider {
namespace {

double largest(const std::vector<float>& values) {
  double most = 0.0;
  for (const float value : values) most = std::max(most, std::abs(double{value}));
  return most;
}

class Gradients : public testing::TestWithParam<const char*>, protected test::GoldenBatch {
 protected:
  void SetUp() override {
    read(GetParam());
    for (const auto& walk : batch) predicted += static_cast<double>(walk.size()) - 1.0;
  }

  std::unique_ptr<Engine> engine(int threads, Precision precision = Precision::kFloat32) const {
    return GoldenBatch::engine(threads, precision, test::all_alike(ParameterLayout(config)));
  }

  // Weights after some steps, and the losses of the last one.
  void expect_the_same_bits(Precision precision, int steps) const {
    std::vector<float> first;
    std::vector<double> first_losses;
    for (const int threads : {1, 2, 3, 7}) {
      const auto model = engine(threads, precision);
      std::vector<double> losses(views.size());
      for (int step = 0; step < steps; ++step) {
        model->forward_backward(views, predicted, losses);
        model->update(1e-2, 1.0);
      }
      const std::vector<float> parameters = model->parameters();
      if (first.empty()) {
        first = parameters;
        first_losses = losses;
      }
      EXPECT_EQ(parameters, first) << threads;
      EXPECT_EQ(losses, first_losses) << threads;
    }
  }

  std::vector<float> torch(const std::string& name) const {
    const SafetensorsFile expected(folder / "expected.safetensors");
    const TensorEntry* entry = expected.find(name);
    EXPECT_NE(entry, nullptr) << name;
    std::vector<float> values(static_cast<std::size_t>(entry->elements()));
    expected.read(*entry, values);
    return values;
  }

  // The batch `copies` times in one step has the same mean loss and the same gradient. Returns the walks' losses.
  std::vector<double> expect_torch(int copies) {
    const std::vector<WalkView> once = views;
    for (int copy = 1; copy < copies; ++copy) views.insert(views.end(), once.begin(), once.end());
    predicted *= copies;
    const auto model = engine(2);
    std::vector<double> losses(views.size());
    model->forward_backward(views, predicted, losses);
    double loss = 0.0;
    for (const double sum : losses) loss += sum / predicted;
    EXPECT_NEAR(loss, torch("loss")[0], 1e-5);
    const std::vector<float> ours = model->gradient();
    for (const ParameterInfo& tensor : model->layout().tensors()) {
      const std::vector<float> gradient = torch("grad." + tensor.name);
      EXPECT_EQ(static_cast<std::int64_t>(gradient.size()), tensor.size);
      const double tolerance = 1e-5 * largest(gradient);
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        EXPECT_NEAR(ours[static_cast<std::size_t>(tensor.offset) + i], gradient[i], tolerance) << tensor.name;
      }
    }
    return losses;
  }

  double predicted = 0.0;
};

INSTANTIATE_TEST_SUITE_P(Golden, Gradients,
                         testing::Values("gradients", "gradients_gqa_tied", "../golden_extra/gradients_head_dim_1",
                                         "../golden_extra/gradients_uneven_heads"));

// Wherever a step is given up, the parameters stay, and the next step is what it would have been.
TEST_P(Gradients, AStepThatIsGivenUpLeavesNoTrace) {
  for (int copy = 0; copy < 5; ++copy) views.insert(views.end(), batch.begin(), batch.end());
  std::vector<double> expected(views.size()), losses(views.size());
  const auto whole = engine(2);
  whole->forward_backward(views, predicted, expected);
  whole->update(1e-2, 1.0);
  for (const int pieces : {0, 1, 3, 5}) {
    const auto model = engine(2);
    const std::vector<float> before = model->parameters();
    std::atomic<int> asked{0};
    EXPECT_FALSE(model->forward_backward(views, predicted, losses, [&] { return asked.fetch_add(1) >= pieces; }));
    EXPECT_EQ(model->parameters(), before);
    asked = 0;
    EXPECT_FALSE(model->evaluate(views, losses, [&] { return asked.fetch_add(1) >= pieces; }));
    EXPECT_TRUE(model->forward_backward(views, predicted, losses, [] { return false; }));
    model->update(1e-2, 1.0);
    EXPECT_EQ(losses, expected);
    EXPECT_EQ(model->parameters(), whole->parameters());
  }
}

TEST_P(Gradients, AnEngineWithoutGroupsCannotTrain) {
  std::vector<double> losses(views.size());
  const auto reader = GoldenBatch::engine(1, Precision::kFloat32, {});
  EXPECT_THROW(reader->forward_backward(views, predicted, losses), std::logic_error);
}

TEST_P(Gradients, LogitsEqualTorch) {
  const std::vector<float> logits = torch("logits");  // [walks, 16, vocab]
  const std::vector<float> ours = engine(2)->logits(views);
  const auto vocab = static_cast<std::size_t>(config.vocab_size);
  const double bound = 1e-5 * largest(logits);
  std::size_t row = 0;
  for (std::size_t walk = 0; walk < batch.size(); ++walk) {
    for (std::size_t t = 0; t < batch[walk].size(); ++t, ++row) {
      for (std::size_t v = 0; v < vocab; ++v) {
        ASSERT_NEAR(ours[row * vocab + v], logits[(walk * 16 + t) * vocab + v], bound)
            << walk << ", " << t << ", " << v;
      }
    }
  }
}

TEST_P(Gradients, EqualTorch) {
  expect_torch(1);
}

// Where there are several positions for each token, the first q, k, v are made once per token. On AVX-512, libxsmm adds
// up a product of few rows and columns in two parts, so the last bits depend on how many rows are taken together.
TEST_P(Gradients, EqualTorchWithManyPositionsAToken) {
  const std::vector<WalkView> once = views;
  std::vector<double> losses_once(once.size());
  engine(2)->forward_backward(once, predicted, losses_once);
  const int copies = 1 + static_cast<int>(4 * static_cast<double>(config.vocab_size) / predicted);
  const std::vector<double> losses = expect_torch(copies);
  for (std::size_t i = 0; i < losses.size(); ++i) {
    EXPECT_NEAR(losses[i], losses_once[i % once.size()], 1e-6 * losses[i]) << i;
  }
}

TEST_P(Gradients, SameBitsForAnyNumberOfThreads) {
  expect_the_same_bits(Precision::kFloat32, 3);
}

// Rounding to 8 bits is wrong by 2^-9 at most and 2^-10 or so on average; sums of many such products are off by a few
// of those.
TEST_P(Gradients, Bfloat16IsFloat32Rounded) {
  const auto exact = engine(2);
  const auto rounded = engine(2, Precision::kBfloat16);
  std::vector<double> exact_losses(views.size());
  std::vector<double> rounded_losses(views.size());
  exact->forward_backward(views, predicted, exact_losses);
  rounded->forward_backward(views, predicted, rounded_losses);
  for (std::size_t i = 0; i < views.size(); ++i) {
    EXPECT_NEAR(rounded_losses[i], exact_losses[i], 5e-3 * exact_losses[i]) << i;
    if (views[i].size() > 1) {
      EXPECT_NE(rounded_losses[i], exact_losses[i]) << "nothing was rounded";
    }
  }
  for (const ParameterInfo& tensor : exact->layout().tensors()) {
    double difference = 0.0;
    double size = 0.0;
    for (std::int64_t i = tensor.offset; i < tensor.offset + tensor.size; ++i) {
      const double expected = exact->gradient()[static_cast<std::size_t>(i)];
      difference += std::pow(rounded->gradient()[static_cast<std::size_t>(i)] - expected, 2);
      size += expected * expected;
    }
    EXPECT_LT(std::sqrt(difference / size), 0.02) << tensor.name;
  }
  std::vector<double> evaluated(views.size());
  rounded->evaluate(views, evaluated);
  EXPECT_EQ(evaluated, rounded_losses);
}

TEST_P(Gradients, Bfloat16HasTheSameBitsForAnyNumberOfThreads) {
  expect_the_same_bits(Precision::kBfloat16, 3);
}

// So many walks that every lane has several blocks, which may overtake each other.
TEST_P(Gradients, SameBitsForAnyNumberOfThreadsOverManyBlocks) {
  constexpr std::size_t kWalks = 1200;
  while (views.size() < kWalks) views.push_back(batch[views.size() % batch.size()]);
  expect_the_same_bits(Precision::kFloat32, 5);
}

TEST_P(Gradients, OfLmHeadAloneAreThoseOfAllAndTheOthersRest) {
  const auto all = engine(2), alone = engine(2);
  if (all->config().tie_word_embeddings) GTEST_SKIP() << "lm_head has no table of its own";
  std::vector<double> expected(views.size()), losses(views.size());
  // After a step of all, whose gradients and states are there.
  for (Engine* const model : {all.get(), alone.get()}) {
    model->forward_backward(views, predicted, losses);
    model->update(1e-2, 1.0);
  }
  const std::vector<float> before = alone->parameters();
  all->forward_backward(views, predicted, expected);
  alone->learn_lm_head_only(true);
  alone->forward_backward(views, predicted, losses);
  EXPECT_EQ(losses, expected);
  const std::vector<float> of_all = all->gradient(), of_head = alone->gradient();
  const auto first = static_cast<std::size_t>(alone->layout().lm_head());
  const auto last = first + static_cast<std::size_t>(alone->config().vocab_size * alone->config().hidden_size);
  double squares = 0.0;
  for (std::size_t i = 0; i < of_head.size(); ++i) {
    EXPECT_EQ(of_head[i], i >= first && i < last ? of_all[i] : 0.0F) << i;
    squares += double{of_head[i]} * double{of_head[i]};
  }
  EXPECT_NEAR(alone->gradient_norm(), std::sqrt(squares), 1e-5 * std::sqrt(squares));
  alone->update(1e-2, 0.0);
  const std::vector<float> after = alone->parameters();
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (i < first || i >= last) {
      ASSERT_EQ(after[i], before[i]) << i;
    }
  }
  EXPECT_NE(after[first], before[first]);
  // All of them again, as if nothing had been.
  alone->set_parameters(all->parameters());
  alone->learn_lm_head_only(false);
  alone->forward_backward(views, predicted, losses);
  EXPECT_EQ(alone->gradient(), of_all);
}

TEST_P(Gradients, EvaluationGivesTheLossesOfTraining) {
  const auto model = engine(2);
  std::vector<double> training(views.size()), evaluation(views.size());
  model->forward_backward(views, predicted, training);
  model->evaluate(views, evaluation);
  EXPECT_EQ(training, evaluation);
}

}  // namespace
}  // namespace strider
