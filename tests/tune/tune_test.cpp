// A whole search over a tiny model, stopped and gone on with, and what it scores.
#include "tune/tune.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "train/runs.h"

namespace strider {
namespace {

struct Heard : TuneListener {
  void on_notice(const std::string& text) override { notices.push_back(text); }
  void on_plan(const std::vector<Rung>&, std::size_t done, std::size_t) override { done_before = done; }
  void on_trial(const Trial& trial, const Candidate&, std::size_t done, std::size_t) override {
    trials.push_back(trial);
    if (done == stop_after) signals.stop = SIGTERM;
  }
  std::vector<std::string> notices;
  std::vector<Trial> trials;
  std::size_t done_before = 0;
  std::size_t stop_after = 0;
  TrainingSignals signals;
};

class Tune : public testing::Test {
 protected:
  TuneSettings settings(const std::string& name) const {
    return {.dataset_dir = test::golden("run") / "dataset",
            .config = test::golden("run") / "init/config.json",
            .output_dir = scratch.path() / name,
            .graph_dir = {},
            .candidates = 4,
            .tokens = 2'000,
            .max_length = 16,
            .threads = 2,
            .precision = Precision::kFloat32};
  }

  test::ScratchFolder scratch;
};

TEST_F(Tune, EndsWithTheBestOfTheLongestRuns) {
  Heard heard;
  const TuneOutcome outcome = tune(settings("search"), heard, heard.signals);
  ASSERT_EQ(heard.trials.size(), 6U) << "4 and 2 runs";
  const auto best = std::ranges::min_element(heard.trials.begin() + 4, heard.trials.end(), {}, &Trial::score);
  EXPECT_EQ(outcome.best.score, best->score);
  EXPECT_EQ(outcome.best.candidate, best->candidate);
  EXPECT_EQ(outcome.best.tokens, 2'000);
  EXPECT_NE(outcome.variables.find("OPTIMIZER=muon"), std::string::npos) << outcome.variables;
  EXPECT_NE(outcome.variables.find("MAX_STEPS="), std::string::npos) << outcome.variables;
  const auto file = nlohmann::json::parse(test::read_text(outcome.json));
  EXPECT_EQ(file["best"]["variables"], outcome.variables);
  EXPECT_EQ(file["trials"].size(), 6U);
  const std::string chart = test::read_text(outcome.chart);
  EXPECT_EQ(std::ranges::count(chart, '\n') > 10, true);
  EXPECT_NE(chart.find("</svg>"), std::string::npos);
}

TEST_F(Tune, GoesOnWhereItWasStopped) {
  Heard whole;
  const TuneOutcome expected = tune(settings("whole"), whole, whole.signals);
  Heard first;
  first.stop_after = 3;
  EXPECT_EQ(tune(settings("stopped"), first, first.signals).stopped_by, SIGTERM);
  Heard second;
  const TuneOutcome outcome = tune(settings("stopped"), second, second.signals);
  EXPECT_EQ(second.done_before, 3U);
  EXPECT_EQ(second.trials.size(), 3U);
  EXPECT_EQ(outcome.best.loss, expected.best.loss);
  EXPECT_EQ(outcome.variables, expected.variables);
  Heard third;
  EXPECT_EQ(tune(settings("stopped"), third, third.signals).best.loss, expected.best.loss);
  EXPECT_TRUE(third.trials.empty()) << "everything is known";
}

TEST_F(Tune, AnotherSearchInTheFolderIsRefused) {
  Heard heard;
  tune(settings("search"), heard, heard.signals);
  TuneSettings other = settings("search");
  other.tokens = 3'000;
  try {
    tune(other, heard, heard.signals);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("other settings"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("tune.json"), std::string::npos) << error.what();
  }
}

TEST_F(Tune, MinutesMakeFewerCandidates) {
  TuneSettings little = settings("little");
  little.candidates = 1'000;
  little.max_minutes = 1e-4;
  Heard heard;
  tune(little, heard, heard.signals);
  EXPECT_EQ(heard.trials.size(), 1U);
  ASSERT_EQ(heard.notices.size(), 1U);
  EXPECT_NE(heard.notices.front().find("1 candidates of 1000"), std::string::npos) << heard.notices.front();
}

TEST(SearchSpace, IsDrawnFromItsSeed) {
  const auto first = draw_candidates(20, {.non_embedding = 2'000'000}, false, 1);
  const auto again = draw_candidates(20, {.non_embedding = 2'000'000}, false, 1);
  const auto other = draw_candidates(20, {.non_embedding = 2'000'000}, false, 2);
  std::set<std::string> texts;
  for (std::size_t i = 0; i < first.size(); ++i) {
    const std::string text = variables_text(values_of_run(first[i], 2'000'000, 128));
    EXPECT_EQ(text, variables_text(values_of_run(again[i], 2'000'000, 128)));
    if (i > 0) {
      EXPECT_NE(text, variables_text(values_of_run(other[i], 2'000'000, 128)));
    }
    texts.insert(text);
    TrainingSettings settings;
    EXPECT_NO_THROW(set_values(settings, values_of_run(first[i], 2'000'000, 128))) << text;
    EXPECT_NO_THROW(check_settings(settings)) << text;
    EXPECT_NEAR(static_cast<double>(settings.max_steps * settings.batch_size * 128), 2e6, 4096 * 0.5 + 1) << text;
  }
  EXPECT_EQ(texts.size(), first.size());
}

TEST(Score, AWholeSurfaceCostsNothing) {
  EXPECT_EQ(shortfall({.neighbours = 0.5, .within_two = 1.0, .geodesics = 0.9, .components = 0.6}), 0.0);
  EXPECT_NEAR(shortfall({.neighbours = 0.4, .within_two = 0.89, .geodesics = 0.9, .components = 0.0}), 0.8, 1e-12);
  EXPECT_EQ(score(2.0, std::nullopt), 2.0);
  EXPECT_NEAR(score(2.0, SurfaceMeasures{.neighbours = 0.5, .within_two = 0.99, .geodesics = 0.85, .components = 0.5}),
              2.05, 1e-12);
}

TEST(Score, TheLayerIsTheOneThatHasMostOfAll) {
  std::vector<MeasuredLayer> layers(2);
  layers[0].measures.neighbours = 0.6;
  layers[1].measures.neighbours = 0.4;
  layers[1].measures.within_two = 1.0;
  layers[1].measures.geodesic_correlation = 0.9;
  const auto best = best_layer(layers);
  ASSERT_TRUE(best.has_value());
  EXPECT_EQ(best->neighbours, 0.4);
  EXPECT_EQ(best->geodesics, 0.9);
  EXPECT_EQ(best_layer({}), std::nullopt);
}

}  // namespace
}  // namespace strider
