// RECIPE: values for what the user has not given, and the same run as with those values given one by one.
#include "train/recipe.h"

#include <algorithm>

#include "model/folder.h"
#include "runs.h"
#include "train/settings_table.h"

namespace strider {
namespace {

constexpr std::int64_t kSize2M = 2'099'200;

std::string value_in(const std::vector<RecipeValue>& values, const std::string& option) {
  const auto found = std::ranges::find(values, option, &RecipeValue::option);
  return found == values.end() ? "" : found->value;
}

TEST(Recipe, TheReferenceSetsNothing) {
  EXPECT_TRUE(recipe_values(Recipe::kReference, {.non_embedding = kSize2M}).empty());
  EXPECT_EQ(with_recipe({}, {.non_embedding = kSize2M}).text, "");
}

TEST(Recipe, EveryValueIsOneOfTheTable) {
  for (const Recipe recipe : {Recipe::kFast, Recipe::kLowestLoss}) {
    for (const std::int64_t size : {10'000, 400'000, 2'000'000, 6'000'000, 12'000'000, 900'000'000}) {
      TrainingSettings asked;
      asked.recipe = recipe;
      const RecipeResult result = with_recipe(asked, {.non_embedding = size});
      EXPECT_NO_THROW(check_ranges(result.settings)) << result.text;
      for (const RecipeValue& value : recipe_values(recipe, {.non_embedding = size})) {
        const auto same_option = [&](const TrainingSetting& row) { return row.facts().option == value.option; };
        const auto row = std::ranges::find_if(training_settings_table(), same_option);
        ASSERT_NE(row, training_settings_table().end()) << value.option;
        EXPECT_NE(result.text.find(row->facts().variable + "="), std::string::npos) << result.text;
      }
    }
  }
}

TEST(Recipe, ThePresetOfTheNearestSizeIsTaken) {
  EXPECT_EQ(value_in(recipe_values(Recipe::kFast, {.non_embedding = 1'900'000}), "max_steps"),
            value_in(recipe_values(Recipe::kFast, {.non_embedding = kSize2M}), "max_steps"));
  EXPECT_NE(value_in(recipe_values(Recipe::kFast, {.non_embedding = 1}), "max_steps"), "");
}

TEST(Recipe, WhatTheUserGivesStays) {
  TrainingSettings asked;
  asked.recipe = Recipe::kFast;
  asked.batch_size = 7;
  asked.given = {"batch_size"};
  const RecipeResult result = with_recipe(asked, {.non_embedding = kSize2M});
  EXPECT_EQ(result.settings.batch_size, 7);
  EXPECT_EQ(result.settings.optimizer, "muon");
  EXPECT_EQ(result.text.find("BATCH_SIZE"), std::string::npos) << result.text;
  EXPECT_EQ(result.settings.given, asked.given);
}

// A number of steps would cut what the user asks for.
TEST(Recipe, TheUsersLengthOfTheRunReplacesTheRecipes) {
  TrainingSettings asked;
  asked.recipe = Recipe::kFast;
  EXPECT_GT(with_recipe(asked, {.non_embedding = kSize2M}).settings.max_steps, 0);
  for (const char* length : {"epochs", "max_steps", "max_minutes"}) {
    asked.given = {length};
    EXPECT_EQ(with_recipe(asked, {.non_embedding = kSize2M}).settings.max_steps, 0) << length;
  }
}

TEST(Recipe, AModelToStartFromKeepsItsWeights) {
  TrainingSettings asked;
  asked.init_from = "model";
  for (const Recipe recipe : {Recipe::kFast, Recipe::kLowestLoss}) {
    asked.recipe = recipe;
    EXPECT_EQ(with_recipe(asked, {.non_embedding = kSize2M}).settings.output_projections, OutputProjections::kTorch);
  }
}

TEST(Recipe, IsTheSameRunAsItsValuesGivenOneByOne) {
  const test::ScratchFolder scratch;
  TrainingSettings asked = test::golden_settings("run", scratch / "recipe");
  asked.max_steps = 12;
  asked.precision = Precision::kFloat32;  // no trial, which takes time
  asked.given = {"max_steps", "precision"};
  TrainingSettings by_hand = asked;
  by_hand.output_dir = scratch / "by_hand";
  by_hand.given.clear();
  std::vector<RecipeValue> values = recipe_values(Recipe::kFast, {.non_embedding = 1, .vocabulary = 1});
  std::erase_if(values, [&](const RecipeValue& value) { return asked.given.contains(value.option); });
  set_values(by_hand, values);
  asked.recipe = Recipe::kFast;
  test::Recorder recorder;
  const TrainingOutcome outcome = test::run(asked, recorder);
  EXPECT_EQ(outcome.steps, 12);
  EXPECT_TRUE(std::ranges::any_of(
      recorder.notices, [](const std::string& text) { return text.rfind("RECIPE=fast: OPTIMIZER=muon", 0) == 0; }));
  EXPECT_EQ(test::weights_of(outcome.final_model), test::weights_of(test::run(by_hand).final_model));
  EXPECT_TRUE(test::run(asked).already_finished) << "the same command";
}

TEST(Recipe, FirstLayersAreLeftAloneWhereThatIsPossible) {
  TrainingSettings asked;
  asked.recipe = Recipe::kFast;
  const TrainingSettings usual = with_recipe(asked, {.non_embedding = kSize2M}).settings;
  EXPECT_GT(usual.first_steps, 0);
  EXPECT_EQ(usual.head_steps, 0);
  for (const RecipeModel& model : {RecipeModel{.non_embedding = kSize2M, .has_tied_embeddings = true},
                                   RecipeModel{.non_embedding = kSize2M, .layers = 1}}) {
    const TrainingSettings settings = with_recipe(asked, model).settings;
    EXPECT_EQ(settings.first_layers, 0);
    EXPECT_EQ(settings.first_steps, 0);
    EXPECT_EQ(settings.head_steps > 0, !model.has_tied_embeddings);
  }
  TrainingSettings from_a_model = asked;
  from_a_model.init_from = "model";
  EXPECT_EQ(with_recipe(from_a_model, {.non_embedding = kSize2M}).settings.first_steps, 0);
  TrainingSettings without = asked;
  without.given = {"first_layers"};
  EXPECT_EQ(with_recipe(without, {.non_embedding = kSize2M}).settings.first_steps, 0);
}

// A model's size decides first, its vocabulary only between presets of one size.
TEST(Recipe, SmallGraphsHaveFewerFirstSteps) {
  TrainingSettings asked;
  asked.recipe = Recipe::kFast;
  const auto first_steps = [&](std::int64_t non_embedding, std::int64_t vocabulary) {
    return with_recipe(asked, {.non_embedding = non_embedding, .vocabulary = vocabulary}).settings.first_steps;
  };
  EXPECT_EQ(first_steps(400'000, 1200), 450);
  EXPECT_EQ(first_steps(400'000, 192), 200);
  EXPECT_EQ(first_steps(400'000, 10), 200);
  EXPECT_EQ(first_steps(400'000, 100'000), 450);
  EXPECT_EQ(first_steps(kSize2M, 192), first_steps(kSize2M, 1200));
}

// HEAD_STEPS leave all weights but lm_head's as they are, bit for bit.
TEST(Recipe, HeadStepsChangeTheHeadAlone) {
  const test::ScratchFolder scratch;
  TrainingSettings settings = test::golden_settings("run", scratch / "short");
  settings.max_steps = 6;
  settings.eval_steps = settings.save_steps = 100;
  test::run(settings);
  TrainingSettings longer = settings;
  longer.output_dir = scratch / "longer";
  longer.max_steps = 10;
  longer.head_steps = 4;
  test::run(longer);
  const LlamaConfig config = read_config(settings.output_dir / "final_model" / "config.json");
  const ParameterLayout layout(config);
  ASSERT_FALSE(config.tie_word_embeddings);
  std::vector<float> before(static_cast<std::size_t>(layout.total())), after(before.size());
  read_weights(settings.output_dir / "final_model", layout, before);
  read_weights(longer.output_dir / "final_model", layout, after);
  for (const ParameterInfo& tensor : layout.tensors()) {
    const auto first = static_cast<std::ptrdiff_t>(tensor.offset);
    const bool is_same =
        std::equal(before.begin() + first, before.begin() + first + static_cast<std::ptrdiff_t>(tensor.size),
                   after.begin() + first);
    EXPECT_EQ(is_same, tensor.name != "lm_head.weight") << tensor.name;
  }
}

// FIRST_STEPS train the first layers, which stay as they are from then on, bit for bit, with the embeddings.
TEST(Recipe, FirstLayersStayAfterFirstSteps) {
  const test::ScratchFolder scratch;
  TrainingSettings settings = test::golden_settings("run", scratch / "first");
  settings.eval_steps = settings.save_steps = 100;
  settings.first_layers = 1;
  settings.first_steps = settings.max_steps = 6;
  settings.first_embedding_scale = 3.0;
  settings.first_output_scale = 0.5;
  settings.first_group_weight_decays[static_cast<std::size_t>(TensorKind::kLmHead)] = 10.0;
  test::run(settings);
  TrainingSettings longer = settings;
  longer.output_dir = scratch / "longer";
  longer.max_steps = 10;
  test::run(longer);
  const LlamaConfig config = read_config(settings.output_dir / "final_model" / "config.json");
  ASSERT_GT(config.num_hidden_layers, 1);
  const ParameterLayout layout(config);
  std::vector<float> before(static_cast<std::size_t>(layout.total())), after(before.size());
  read_weights(settings.output_dir / "final_model", layout, before);
  read_weights(longer.output_dir / "final_model", layout, after);
  for (const ParameterInfo& tensor : layout.tensors()) {
    const auto values = [&](const std::vector<float>& of) {
      return std::span(of).subspan(static_cast<std::size_t>(tensor.offset), static_cast<std::size_t>(tensor.size));
    };
    EXPECT_EQ(std::ranges::equal(values(before), values(after)), tensor.offset < layout.layer(1).qkv) << tensor.name;
    const bool is_output = tensor.name.ends_with(".o_proj.weight") || tensor.name.ends_with(".down_proj.weight");
    const bool is_zero = std::ranges::all_of(values(before), [](float x) { return x == 0.0F; });
    EXPECT_EQ(is_zero, is_output && tensor.offset >= layout.layer(1).qkv) << tensor.name;
  }
  // They were scaled once, at the end of the first part.
  TrainingSettings unscaled = settings;
  unscaled.output_dir = scratch / "unscaled";
  unscaled.first_embedding_scale = unscaled.first_output_scale = 1.0;
  test::run(unscaled);
  std::vector<float> expected(before.size());
  read_weights(unscaled.output_dir / "final_model", layout, expected);
  scale_embeddings(layout, 3.0F, expected);
  scale_output_projections(layout, 1, 0.5F, expected);
  EXPECT_EQ(before, expected);
  // And the weight decay of lm_head is that of the first part.
  TrainingSettings without_decay = unscaled;
  without_decay.output_dir = scratch / "without_decay";
  without_decay.first_group_weight_decays = {};
  test::run(without_decay);
  std::vector<float> larger(before.size());
  read_weights(without_decay.output_dir / "final_model", layout, larger);
  const auto head_norm = [&](const std::vector<float>& weights) {
    double squares = 0.0;
    for (std::size_t i = static_cast<std::size_t>(layout.lm_head()); i < weights.size(); ++i) {
      squares += double{weights[i]} * double{weights[i]};
    }
    return std::sqrt(squares);
  };
  EXPECT_LT(head_norm(expected), 0.999 * head_norm(larger));
  // Interrupted in either part, or between them, it ends with the same bits.
  for (const std::int64_t stop : {std::int64_t{4}, std::int64_t{6}, std::int64_t{8}}) {
    TrainingSettings stopped = longer;
    stopped.output_dir = scratch / ("stopped_" + std::to_string(stop));
    EXPECT_EQ(test::run(stopped, stop).steps, stop);
    EXPECT_EQ(test::weights_of(test::run(stopped).final_model), test::weights_of(longer.output_dir / "final_model"));
  }
}

// What the user gives beside a recipe is looked at together with what the recipe sets.
TEST(Recipe, ItsPartsMayHaveOtherLengths) {
  const test::ScratchFolder scratch;
  TrainingSettings settings = test::golden_settings("run", scratch / "run");
  settings.recipe = Recipe::kFast;
  settings.precision = Precision::kFloat32;
  settings.first_steps = 4;
  settings.max_steps = 8;
  settings.given = {"first_steps", "max_steps", "precision"};
  EXPECT_EQ(test::run(settings).steps, 8);
}

TEST(Recipe, FirstLayersThatCannotBeAreRefused) {
  const test::ScratchFolder scratch;
  TrainingSettings settings = test::golden_settings("run", scratch / "run");
  settings.first_steps = 3;
  EXPECT_THROW(test::run(settings), Error) << "steps of no layers";
  settings.first_layers = 100;
  EXPECT_THROW(test::run(settings), Error) << "more layers than the model has";
  settings.first_layers = 1;
  settings.init_from = scratch / "model";
  EXPECT_THROW(test::run(settings), Error) << "a model that has the other layers";
}

}  // namespace
}  // namespace strider
