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

// Where only a part learns its gradient is what it is where all learn, and the rest is left as it is.
TEST_P(Gradients, OfWhatLearnsAreThoseOfAllAndTheRestStays) {
  if (config.tie_word_embeddings) GTEST_SKIP() << "lm_head is the embeddings";
  const std::int64_t layers = config.num_hidden_layers;
  ASSERT_GE(layers, 2);
  // So many walks that the first q, k, v are computed once per token.
  while (views.size() < 60) views.push_back(batch[views.size() % batch.size()]);
  for (const Learning learning : {lm_head_learns(config), Learning{.first_layer = 1, .layers = layers},
                                  Learning{.first_layer = layers, .layers = layers}}) {
    const auto all = engine(2), some = engine(2);
    std::vector<double> expected(views.size()), losses(views.size());
    // After a step of all, whose gradients and states are there.
    for (Engine* const model : {all.get(), some.get()}) {
      model->forward_backward(views, predicted, losses);
      model->update(1e-2, 1.0);
    }
    const std::vector<float> before = some->parameters();
    all->forward_backward(views, predicted, expected);
    some->learn(learning);
    some->forward_backward(views, predicted, losses);
    EXPECT_EQ(losses, expected);
    const std::vector<float> of_all = all->gradient(), of_some = some->gradient();
    const auto is_learning = [&](std::size_t i) {
      return learns(learning, some->layout(), static_cast<std::int64_t>(i));
    };
    double squares = 0.0;
    for (std::size_t i = 0; i < of_some.size(); ++i) {
      ASSERT_EQ(of_some[i], is_learning(i) ? of_all[i] : 0.0F) << i;
      squares += double{of_some[i]} * double{of_some[i]};
    }
    EXPECT_NEAR(some->gradient_norm(), std::sqrt(squares), 1e-5 * std::sqrt(squares));
    some->update(1e-2, 0.0);
    const std::vector<float> after = some->parameters();
    std::size_t changed = 0;
    for (std::size_t i = 0; i < after.size(); ++i) {
      if (!is_learning(i)) {
        ASSERT_EQ(after[i], before[i]) << i;
      }
      changed += after[i] != before[i];
    }
    EXPECT_GT(changed, 0);
    // All of them again, as if nothing had been.
    some->set_parameters(all->parameters());
    some->learn(all_learn(config));
    some->forward_backward(views, predicted, losses);
    EXPECT_EQ(some->gradient(), of_all);
  }
}

// Layers that are left out add nothing, so that the model is the one of the layers below, in training and evaluation.
TEST_P(Gradients, OfTheFirstLayersAreThoseOfASmallerModel) {
  if (config.num_hidden_layers < 2) GTEST_SKIP() << "no layers to leave out";
  while (views.size() < 60) views.push_back(batch[views.size() % batch.size()]);
  const auto whole = engine(2);
  const ParameterLayout& layout = whole->layout();
  std::vector<float> weights = whole->parameters();
  zero_output_projections(layout, 1, weights);
  whole->set_parameters(weights);
  LlamaConfig first_layer = config;
  first_layer.num_hidden_layers = 1;
  const ParameterLayout small_layout(first_layer);
  // Both have the tensors below the second layer in the same places, and the same ones after the last.
  const std::int64_t shared = layout.layer(1).qkv;
  const auto of_small = [&](const std::vector<float>& values) {
    std::vector<float> own(values.begin(), values.begin() + shared);
    own.insert(own.end(), values.begin() + layout.final_norm(), values.end());
    return own;
  };
  const auto small = make_engine(first_layer, engine_settings(2, Precision::kFloat32, test::all_alike(small_layout)));
  small->set_parameters(of_small(weights));
  std::vector<double> expected(views.size()), losses(views.size());
  whole->learn({.first_layer = 0, .layers = 1});
  for (int step = 0; step < 3; ++step) {
    small->forward_backward(views, predicted, expected);
    whole->forward_backward(views, predicted, losses);
    EXPECT_EQ(losses, expected);
    EXPECT_EQ(of_small(whole->gradient()), small->gradient());
    EXPECT_EQ(whole->gradient_norm(), small->gradient_norm());
    small->update(1e-2, 1.0);
    whole->update(1e-2, 1.0);
  }
  EXPECT_EQ(of_small(whole->parameters()), small->parameters());
  small->evaluate(views, expected);
  whole->evaluate(views, losses);
  for (std::size_t i = 0; i < losses.size(); ++i) EXPECT_NEAR(losses[i], expected[i], 1e-5 * expected[i]);
}

TEST_P(Gradients, AScaledResidualStreamIsTheSameModel) {
  const auto model = engine(1);
  const ParameterLayout& layout = model->layout();
  const std::vector<float> expected = model->logits(views);
  std::vector<float> weights = model->parameters();
  if (config.tie_word_embeddings) GTEST_SKIP() << "lm_head would be scaled, too";
  scale_embeddings(layout, 8.0F, weights);
  scale_output_projections(layout, config.num_hidden_layers, 8.0F, weights);
  model->set_parameters(weights);
  const std::vector<float> scaled = model->logits(views);
  const double bound = 0.01 * largest(expected);  // of the norms' epsilon
  for (std::size_t i = 0; i < scaled.size(); ++i) ASSERT_NEAR(scaled[i], expected[i], bound) << i;
}

// What is asked for reaches the next update of each group.
TEST_P(Gradients, WeightDecaysMayChange) {
  const auto model = engine(1), usual = engine(1);
  std::vector<double> losses(views.size());
  for (Engine* const one : {model.get(), usual.get()}) one->forward_backward(views, predicted, losses);
  std::vector<double> decays;
  for (const ParameterGroup& group : model->groups()) decays.push_back(group.weight_decay + 0.5);
  model->set_weight_decays(decays);
  const std::vector<float> before = model->parameters();
  for (Engine* const one : {model.get(), usual.get()}) one->update(1e-2, 1.0);
  const std::vector<float> decayed = model->parameters(), others = usual->parameters();
  for (std::size_t i = 0; i < before.size(); ++i) {
    ASSERT_NEAR(decayed[i], others[i] - 0.005F * before[i], 1e-6 + 1e-6 * std::abs(before[i])) << i;
  }
}

TEST_P(Gradients, LayersThatAreNotThereCannotLearn) {
  const auto model = engine(1);
  const std::int64_t layers = config.num_hidden_layers;
  EXPECT_THROW(model->learn({.first_layer = 0, .layers = layers + 1}), std::logic_error);
  EXPECT_THROW(model->learn({.first_layer = layers + 1, .layers = layers}), std::logic_error);
  EXPECT_THROW(model->learn({.first_layer = -1, .layers = layers}), std::logic_error);
  if (config.tie_word_embeddings) {
    EXPECT_THROW(model->learn(lm_head_learns(config)), std::logic_error);
    EXPECT_THROW(model->learn({.first_layer = 1, .layers = layers}), std::logic_error);
  }
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
