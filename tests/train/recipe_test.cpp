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
  EXPECT_TRUE(recipe_values(Recipe::kReference, kSize2M).empty());
  EXPECT_EQ(with_recipe({}, kSize2M).text, "");
}

TEST(Recipe, EveryValueIsOneOfTheTable) {
  for (const Recipe recipe : {Recipe::kFast, Recipe::kLowestLoss}) {
    for (const std::int64_t size : {10'000, 400'000, 2'000'000, 6'000'000, 12'000'000, 900'000'000}) {
      TrainingSettings asked;
      asked.recipe = recipe;
      const RecipeResult result = with_recipe(asked, size);
      EXPECT_NO_THROW(check_ranges(result.settings)) << result.text;
      for (const RecipeValue& value : recipe_values(recipe, size)) {
        const auto same_option = [&](const TrainingSetting& row) { return row.facts().option == value.option; };
        const auto row = std::ranges::find_if(training_settings_table(), same_option);
        ASSERT_NE(row, training_settings_table().end()) << value.option;
        EXPECT_NE(result.text.find(row->facts().variable + "="), std::string::npos) << result.text;
      }
    }
  }
}

TEST(Recipe, ThePresetOfTheNearestSizeIsTaken) {
  EXPECT_EQ(value_in(recipe_values(Recipe::kFast, 1'900'000), "max_steps"),
            value_in(recipe_values(Recipe::kFast, kSize2M), "max_steps"));
  EXPECT_NE(value_in(recipe_values(Recipe::kFast, 1), "max_steps"), "");
}

TEST(Recipe, WhatTheUserGivesStays) {
  TrainingSettings asked;
  asked.recipe = Recipe::kFast;
  asked.batch_size = 7;
  asked.given = {"batch_size"};
  const RecipeResult result = with_recipe(asked, kSize2M);
  EXPECT_EQ(result.settings.batch_size, 7);
  EXPECT_EQ(result.settings.optimizer, "muon");
  EXPECT_EQ(result.text.find("BATCH_SIZE"), std::string::npos) << result.text;
  EXPECT_EQ(result.settings.given, asked.given);
}

// A number of steps would cut what the user asks for.
TEST(Recipe, TheUsersLengthOfTheRunReplacesTheRecipes) {
  TrainingSettings asked;
  asked.recipe = Recipe::kFast;
  EXPECT_GT(with_recipe(asked, kSize2M).settings.max_steps, 0);
  for (const char* length : {"epochs", "max_steps", "max_minutes"}) {
    asked.given = {length};
    EXPECT_EQ(with_recipe(asked, kSize2M).settings.max_steps, 0) << length;
  }
}

TEST(Recipe, AModelToStartFromKeepsItsWeights) {
  TrainingSettings asked;
  asked.init_from = "model";
  for (const Recipe recipe : {Recipe::kFast, Recipe::kLowestLoss}) {
    asked.recipe = recipe;
    EXPECT_EQ(with_recipe(asked, kSize2M).settings.output_projections, OutputProjections::kTorch);
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
  std::vector<RecipeValue> values = recipe_values(Recipe::kFast, 1);
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

TEST(Recipe, NothingIsTrainedAloneWhereTheHeadIsTheEmbeddings) {
  TrainingSettings asked;
  asked.recipe = Recipe::kFast;
  EXPECT_GT(with_recipe(asked, kSize2M).settings.head_steps, 0);
  EXPECT_EQ(with_recipe(asked, kSize2M, false).settings.head_steps, 0);
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

}  // namespace
}  // namespace strider
