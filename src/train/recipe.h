#pragma once
// RECIPE: values for many settings at once, chosen together, that reach a low loss in a fraction of the reference's
// steps. They were found by measurement on walks over surfaces; docs/recipes.md says how, and what they cost.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/config.h"
#include "train/settings.h"

namespace strider {

/// A row of the settings table by its option, and its value as a user would write it.
struct RecipeValue {
  std::string option;
  std::string value;
};

/// What decides which values make sense.
struct RecipeModel {
  std::int64_t non_embedding = 0;  // parameters outside embeddings and lm_head
  std::int64_t vocabulary = 1200;
  std::int64_t layers = 2;
  bool has_tied_embeddings = false;
  bool has_other_weights = false;  // those of INIT_FROM
};
RecipeModel recipe_model(const LlamaConfig& config);

/// What a recipe sets for a model: the values of the preset whose size is nearest, by ratio, and of those for several
/// vocabularies the nearest of these, but for parts of a run that this model cannot have. None of kReference.
std::vector<RecipeValue> recipe_values(Recipe recipe, const RecipeModel& model);

/// Sets each of them. Throws Error for a value that its row does not allow.
void set_values(TrainingSettings& settings, std::span<const RecipeValue> values);

/// As variables of the numbered scripts, for the shell: BATCH_SIZE=16 GROUP_LEARNING_RATES="matrices=0.01 ..."
std::string variables_text(std::span<const RecipeValue> values);

/// `asked` with the values of its recipe, but for what the user has given (TrainingSettings::given) and what those make
/// meaningless: how long the run is, where EPOCHS, MAX_STEPS or MAX_MINUTES is given; the start of the weights, where
/// INIT_FROM is. `text`: variables_text() of the values that were set.
struct RecipeResult {
  TrainingSettings settings;
  std::string text;
};
RecipeResult with_recipe(const TrainingSettings& asked, RecipeModel model);

}  // namespace strider
