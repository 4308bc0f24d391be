#include "tune/search_space.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/random/pcg64.h"

namespace strider {
namespace {

// A number on a logarithmic scale, with two digits.
std::string draw_rate(NumpyGenerator& generator, double least, double most) {
  return fmt::format("{:.2g}", least * std::pow(most / least, generator.random()));
}

template <std::size_t N>
std::string draw_word(NumpyGenerator& generator, const std::array<const char*, N>& words) {
  return words[generator.integer(N)];
}

std::int64_t number_in(const std::vector<RecipeValue>& values, const std::string& option, std::int64_t otherwise) {
  const auto found = std::ranges::find(values, option, &RecipeValue::option);
  return found == values.end() ? otherwise : std::stoll(found->value);
}

Candidate recipe_candidate(const RecipeModel& model, bool loss_alone) {
  const Recipe recipe = loss_alone ? Recipe::kLowestLoss : Recipe::kFast;
  Candidate candidate{.values = recipe_values(recipe, model)};
  const auto steps = static_cast<double>(number_in(candidate.values, "max_steps", 1));
  for (const char* option : {"first_steps", "head_steps"}) {
    const std::int64_t of_part = number_in(candidate.values, option, 0);
    if (of_part > 0) candidate.shares[option] = static_cast<double>(of_part) / steps;
  }
  std::erase_if(candidate.values, [&](const RecipeValue& value) {
    return value.option == "max_steps" || candidate.shares.contains(value.option);
  });
  return candidate;
}

void set(std::vector<RecipeValue>& values, const std::string& option, const std::string& value) {
  const auto found = std::ranges::find(values, option, &RecipeValue::option);
  if (found == values.end()) {
    values.push_back({option, value});
  } else {
    found->value = value;
  }
}

std::int64_t batch_size(const Candidate& candidate) {
  return number_in(candidate.values, "batch_size", TrainingSettings{}.batch_size);
}

}  // namespace

std::vector<Candidate> draw_candidates(std::int64_t count, const RecipeModel& model, bool loss_alone,
                                       std::uint64_t seed) {
  NumpyGenerator generator(seed);
  std::vector<Candidate> candidates{recipe_candidate(model, loss_alone)};
  while (static_cast<std::int64_t>(candidates.size()) < count) {
    Candidate drawn = candidates.front();
    const std::string matrices = draw_rate(generator, 0.003, 0.03);
    const std::string embeddings = draw_rate(generator, 3e-4, 2e-2);
    const std::string lm_head = draw_rate(generator, 3e-4, 2e-2);
    const std::string norms = draw_rate(generator, 3e-4, 1e-2);
    set(drawn.values, "learning_rate", embeddings);
    set(drawn.values, "group_learning_rates",
        fmt::format("embeddings={} matrices={} lm_head={} norms={}", embeddings, matrices, lm_head, norms));
    set(drawn.values, "batch_size", draw_word(generator, std::array{"4", "8", "16", "32"}));
    set(drawn.values, "adam_beta2", draw_word(generator, std::array{"0.95", "0.98", "0.99", "0.999"}));
    set(drawn.values, "output_projections", draw_word(generator, std::array{"torch", "zero"}));
    if (loss_alone) {
      set(drawn.values, "embedding_scale", draw_rate(generator, 1.0, 100.0));
    } else if (drawn.shares.contains("first_steps")) {
      set(drawn.values, "first_embedding_scale", draw_rate(generator, 10.0, 200.0));
      set(drawn.values, "first_output_scale", draw_rate(generator, 1.0, 20.0));
    }
    const bool starts_slowly = generator.integer(2) == 1;
    const double share = 0.1 + 0.5 * generator.random();
    drawn.slow_start = starts_slowly ? std::round(100.0 * share) / 100.0 : 0.0;
    candidates.push_back(drawn);
  }
  return candidates;
}

std::vector<RecipeValue> values_of_run(const Candidate& candidate, std::int64_t tokens, std::int64_t length) {
  const std::int64_t of_a_step = batch_size(candidate) * length;
  const std::int64_t steps = std::max<std::int64_t>(1, (tokens + of_a_step / 2) / of_a_step);
  std::vector<RecipeValue> values = candidate.values;
  set(values, "max_steps", fmt::format("{}", steps));
  for (const auto& [option, share] : candidate.shares) {
    set(values, option, fmt::format("{}", std::llround(share * static_cast<double>(steps))));
  }
  if (candidate.slow_start > 0.0) {
    const auto slow = static_cast<std::int64_t>(std::llround(candidate.slow_start * static_cast<double>(steps)));
    set(values, "group_warmup_steps", fmt::format("embeddings={} lm_head={}", slow, slow));
  }
  return values;
}

}  // namespace strider
