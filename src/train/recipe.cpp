#include "train/recipe.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "model/parameters.h"
#include "train/settings_table.h"

namespace strider {
namespace {

struct ForVocabulary {
  std::int64_t vocabulary;
  std::vector<RecipeValue> values;
};

struct Preset {
  std::int64_t non_embedding;
  std::vector<ForVocabulary> fast;
  std::vector<RecipeValue> fast_as_a_whole, lowest_loss;
};

std::vector<RecipeValue> joined(std::vector<RecipeValue> values, std::initializer_list<RecipeValue> more) {
  values.insert(values.end(), more);
  return values;
}

// What all presets share. Few evaluations: one over the reference's 6,000 validation walks costs as much as 120 steps
// of 16 walks. A checkpoint is written where there is one, and when the run is stopped.
std::vector<RecipeValue> shared_values() {
  return {{"optimizer", "muon"},        {"orthogonalize", "polar-express"},
          {"orthogonalize_steps", "3"}, {"weight_decay", "0"},
          {"max_grad_norm", "0"},       {"warmup_steps", "20"},
          {"precision", "auto"},        {"eval_steps", "1000"},
          {"save_steps", "1000"},       {"final_evaluation", "true"}};
}

// The first layer alone, whose lm_head is kept small, learns the graph's smooth functions, and is left alone from then
// on. The embeddings are then multiplied by more than what the layer adds to them, so that the layers above can tell
// the nodes apart as well (docs/recipes.md).
std::vector<RecipeValue> fast(const char* steps, const char* first_steps, const char* head_decay,
                              const char* output_scale) {
  return joined(shared_values(), {{"max_steps", steps},
                                  {"batch_size", "16"},
                                  {"learning_rate", "0.01"},
                                  {"group_learning_rates", "matrices=0.014"},
                                  {"adam_beta2", "0.95"},
                                  {"first_layers", "1"},
                                  {"first_steps", first_steps},
                                  {"first_learning_rate", "5e-4"},
                                  {"first_group_learning_rates", "matrices=0.04"},
                                  {"first_group_weight_decays", std::string("lm_head=") + head_decay},
                                  {"first_embedding_scale", "200"},
                                  {"first_output_scale", output_scale}});
}

// Where no layers can be left alone, since lm_head is the embeddings, or there is but one, or the weights are another
// model's. The rates of embeddings, lm_head and norms decide how much of the surface stays in the model's first
// principal components, and how soon the loss falls. At the end lm_head alone learns to read what is in the layers.
std::vector<RecipeValue> fast_as_a_whole(const char* steps, const char* matrices) {
  return joined(shared_values(), {{"max_steps", steps},
                                  {"batch_size", "16"},
                                  {"learning_rate", "5e-4"},
                                  {"group_learning_rates", std::string("matrices=") + matrices},
                                  {"adam_beta2", "0.99"},
                                  {"head_steps", "400"},
                                  {"head_learning_rate", "0.01"}});
}

std::vector<RecipeValue> lowest_loss(const char* steps, const char* matrices) {
  return joined(shared_values(), {{"max_steps", steps},
                                  {"batch_size", "16"},
                                  {"learning_rate", "0.01"},
                                  {"group_learning_rates", std::string("embeddings=0.3 matrices=") + matrices},
                                  {"adam_beta2", "0.95"},
                                  {"output_projections", "zero"}});
}

// configs/config_{400K,2M,6M,12M}_llama.json, by their parameters outside embeddings and lm_head. Those of 6M and 12M
// are 2M's until they are measured. Vocabularies are those of the default grid, 30 x 40, and of `make run`'s, 12 x 16:
// the first layer learns a smaller graph in fewer steps and more strongly, so that less of its output will do.
std::vector<Preset> make_presets() {
  return {{.non_embedding = 394'000,
           .fast = {{1200, fast("2600", "450", "150", "3")}, {192, fast("1700", "200", "150", "1")}},
           .fast_as_a_whole = fast_as_a_whole("2400", "0.02"),
           .lowest_loss = lowest_loss("2000", "0.014")},
          {.non_embedding = 2'100'000,
           .fast = {{1200, fast("1300", "300", "300", "2")}},
           .fast_as_a_whole = fast_as_a_whole("1525", "0.02"),
           .lowest_loss = lowest_loss("1125", "0.014")}};
}

// The one whose size is nearest, by ratio.
template <typename T>
const T& nearest(const std::vector<T>& all, std::int64_t T::*size, std::int64_t wanted) {
  return *std::ranges::min_element(all, {}, [&](const T& one) {
    return std::abs(std::log(static_cast<double>(one.*size) / static_cast<double>(wanted)));
  });
}

const TrainingSetting& row_of(const RecipeValue& value) {
  return *std::ranges::find_if(training_settings_table(),
                               [&](const TrainingSetting& row) { return row.facts().option == value.option; });
}

// Whether the user has given a setting in whose place, or beside which, the recipe's has no meaning.
bool is_replaced(const TrainingSettings& asked, const std::string& option) {
  const auto is_given = [&](const char* name) { return asked.given.contains(name); };
  if (option == "max_steps") return is_given("epochs") || is_given("max_minutes");
  if (option == "output_projections") return asked.init_from.has_value();
  if (option.starts_with("first_")) return is_given("first_layers") && asked.first_layers == 0;
  if (option == "eval_steps") return is_given("save_steps");  // set alone, the other one follows
  if (option == "save_steps") return is_given("eval_steps");
  return false;
}

}  // namespace

RecipeModel recipe_model(const LlamaConfig& config) {
  return {.non_embedding = ParameterLayout(config).non_embedding(),
          .vocabulary = config.vocab_size,
          .layers = config.num_hidden_layers,
          .has_tied_embeddings = config.tie_word_embeddings};
}

std::vector<RecipeValue> recipe_values(Recipe recipe, const RecipeModel& model) {
  static const std::vector<Preset> presets = make_presets();
  const Preset& preset = nearest(presets, &Preset::non_embedding, model.non_embedding);
  const bool can_have_first_layers = !model.has_tied_embeddings && model.layers > 1 && !model.has_other_weights;
  std::vector<RecipeValue> values;
  if (recipe == Recipe::kFast) {
    values = can_have_first_layers ? nearest(preset.fast, &ForVocabulary::vocabulary, model.vocabulary).values
                                   : preset.fast_as_a_whole;
  }
  if (recipe == Recipe::kLowestLoss) values = preset.lowest_loss;
  if (model.has_tied_embeddings) {
    std::erase_if(values, [](const RecipeValue& value) { return value.option.starts_with("head_"); });
  }
  return values;
}

void set_values(TrainingSettings& settings, std::span<const RecipeValue> values) {
  for (const RecipeValue& value : values) row_of(value).read(settings, value.value);
}

std::string variables_text(std::span<const RecipeValue> values) {
  std::string text;
  for (const RecipeValue& value : values) {
    const bool has_spaces = value.value.find(' ') != std::string::npos;
    text += (text.empty() ? "" : " ") + row_of(value).facts().variable + "=" +
            (has_spaces ? "\"" + value.value + "\"" : value.value);
  }
  return text;
}

RecipeResult with_recipe(const TrainingSettings& asked, RecipeModel model) {
  model.has_other_weights = asked.init_from.has_value();
  std::vector<RecipeValue> values = recipe_values(asked.recipe, model);
  std::erase_if(values, [&](const RecipeValue& value) {
    return asked.given.contains(value.option) || is_replaced(asked, value.option);
  });
  RecipeResult result{.settings = asked, .text = variables_text(values)};
  set_values(result.settings, values);
  return result;
}

}  // namespace strider
