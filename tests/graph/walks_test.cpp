// Walks against the files that the reference writes, byte for byte (golden/walks).
#include "graph/walks.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "base/error.h"
#include "golden.h"
#include "graph/best_loss.h"
#include "graph/surface.h"
#include "sha256.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

Grid grid_of_settings(const nlohmann::json& settings) {
  return {parse_surfaces(settings["TOPOLOGY"].get<std::string>()).front(), settings["H"], settings["W"],
          settings["NEIGH"]};
}

WalkSettings walk_settings_of(const nlohmann::json& json) {
  WalkSettings settings;
  settings.max_length = json.value("MAX_LENGTH", settings.max_length);
  settings.max_seqs = json.value("MAX_SEQS", settings.max_seqs);
  settings.min_visits_per_node = json.value("MIN_VISITS_PER_NODE", settings.min_visits_per_node);
  settings.no_repeat_window = json.value("NO_REPEAT_WINDOW", settings.no_repeat_window);
  settings.restart_prob = json.value("RESTART_PROB", settings.restart_prob);
  settings.temperature = json.value("TEMPERATURE", settings.temperature);
  settings.seed = json.value("SEED", settings.seed);
  return settings;
}

void ignore_progress(std::int64_t /*walks*/) {}

WalkFiles files_in(const test::ScratchFolder& folder, const std::string& name) {
  return {folder / ("walks_" + name + ".csv"), folder / ("visit_counts_" + name + ".csv")};
}

TEST(Walks, SmallSettingsGiveTheReferencesBytes) {
  for (const char* scene : {"torus", "klein_x_restarts", "mobius_y_trapped", "plane_until_visited"}) {
    SCOPED_TRACE(scene);
    const nlohmann::json json = test::golden_json("walks/" + std::string(scene) + "/settings.json");
    const Grid grid = grid_of_settings(json);
    const WalkSettings settings = walk_settings_of(json);
    const test::ScratchFolder folder;
    const WalkFiles files = files_in(folder, grid_name(grid));
    const WalkSummary summary =
        write_walks(make_surface_graph(grid).graph, grid_name(grid), {}, settings, files, ignore_progress);
    const fs::path expected = test::golden("walks") / scene;
    EXPECT_EQ(test::read_text(files.walks), test::read_text(expected / files.walks.filename()));
    EXPECT_EQ(test::read_text(files.counts), test::read_text(expected / files.counts.filename()));
    EXPECT_EQ(summary.visited_enough, settings.min_visits_per_node < 1000);
    EXPECT_EQ(summary.walks_bytes, fs::file_size(files.walks));
  }
}

std::vector<std::vector<std::int32_t>> read_walks(const fs::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  std::vector<std::vector<std::int32_t>> walks;
  while (std::getline(stream, line)) {
    std::istringstream labels(line.substr(line.rfind(',') + 1));
    walks.emplace_back();
    for (std::int32_t id = 0; labels >> id;) walks.back().push_back(id);
  }
  return walks;
}

// The default walks, and the best loss of their validation split, as a literal count in Python gives it (1.710 to three
// digits is that of all 120,000 walks).
TEST(Walks, TheDefaultIsTheReferencesAndItsBestLossIsKnown) {
  const nlohmann::json expected = test::golden_json("walks/default.json");
  const Grid grid = grid_of_settings(expected["settings"]);
  const test::ScratchFolder folder;
  const WalkFiles files = files_in(folder, grid_name(grid));
  write_walks(make_surface_graph(grid).graph, grid_name(grid), {}, walk_settings_of(expected["settings"]), files,
              ignore_progress);
  EXPECT_EQ(fs::file_size(files.walks), expected["walks_bytes"].get<std::uintmax_t>());
  EXPECT_EQ(test::sha256_of_file(files.walks), expected["walks_sha256"].get<std::string>());
  EXPECT_EQ(test::sha256_of_file(files.counts), expected["visit_counts_sha256"].get<std::string>());

  const std::vector<std::vector<std::int32_t>> walks = read_walks(files.walks);
  const std::optional<RuledGraph> ruled = find_walk_rule(files.walks);
  ASSERT_TRUE(ruled.has_value());
  BestLoss best(*ruled);
  const std::vector<std::int64_t> order = NumpyGenerator(42).permutation(120000);
  for (std::size_t i = 0; i < 6000; ++i) best.add(walks[static_cast<std::size_t>(order[i])]);
  EXPECT_NEAR(best.mean().value(), 1.70884236, 1e-8);
}

// A slow, literal count of what the rule allows.
double slow_best_loss(const Graph& graph, std::int64_t window, const std::vector<std::vector<std::int32_t>>& walks) {
  double sum = 0.0;
  double steps = 0.0;
  for (const std::vector<std::int32_t>& walk : walks) {
    for (std::size_t i = 1; i < walk.size(); ++i) {
      const auto node = std::find(graph.labels.begin(), graph.labels.end(), walk[i - 1]) - graph.labels.begin();
      std::size_t free = 0;
      for (const std::int32_t next : graph.neighbours_of(static_cast<std::size_t>(node))) {
        const std::size_t from = i - std::min(i, static_cast<std::size_t>(window));
        const auto begin = walk.begin() + static_cast<std::ptrdiff_t>(from);
        const auto end = walk.begin() + static_cast<std::ptrdiff_t>(i);
        free += std::find(begin, end, graph.labels[static_cast<std::size_t>(next)]) == end ? 1U : 0U;
      }
      if (free == 0) free = graph.neighbours_of(static_cast<std::size_t>(node)).size();
      sum += std::log(static_cast<double>(free));
      steps += 1.0;
    }
  }
  return sum / steps;
}

TEST(BestLoss, CountsWhatTheRuleAllows) {
  for (const char* scene : {"torus", "mobius_y_trapped", "plane_until_visited"}) {
    SCOPED_TRACE(scene);
    const nlohmann::json json = test::golden_json("walks/" + std::string(scene) + "/settings.json");
    const Grid grid = grid_of_settings(json);
    const RuledGraph ruled{{grid_name(grid), walk_settings_of(json), 0, 0}, make_surface_graph(grid).graph};
    const auto walks = read_walks(test::golden("walks") / scene / ("walks_" + grid_name(grid) + ".csv"));
    BestLoss best(ruled);
    for (const auto& walk : walks) best.add(walk);
    EXPECT_NEAR(best.mean().value(), slow_best_loss(ruled.graph, ruled.rule.settings.no_repeat_window, walks), 1e-12);
  }
}

RuledGraph small_torus(std::int64_t window) {
  WalkSettings settings;
  settings.no_repeat_window = window;
  return {{"torus_5x6", settings, 0, 0}, make_surface_graph({Surface::kTorus, 5, 6, 4}).graph};
}

TEST(BestLoss, IsNotKnownWithRestartsOrJumpsOrWithoutSteps) {
  RuledGraph restarts = small_torus(0);
  restarts.rule.settings.restart_prob = 0.1;
  BestLoss with_restarts(restarts);
  with_restarts.add(std::vector<std::int32_t>{0, 17, 3});
  EXPECT_FALSE(with_restarts.mean().has_value());

  const RuledGraph torus = small_torus(0);
  BestLoss without_steps(torus);
  without_steps.add(std::vector<std::int32_t>{4});
  EXPECT_FALSE(without_steps.mean().has_value());

  const RuledGraph lonely{{"two", {}, 0, 0}, {{0, 1}, {0, 0, 0}, {}}};
  BestLoss with_jumps(lonely);
  with_jumps.add(std::vector<std::int32_t>{0, 1});
  EXPECT_FALSE(with_jumps.mean().has_value());
}

TEST(BestLoss, AWindowWithoutEndIsOneAsLongAsTheWalk) {
  const RuledGraph torus = small_torus(std::numeric_limits<std::int64_t>::max());
  const RuledGraph same = small_torus(4);
  BestLoss best(torus);
  BestLoss expected(same);
  for (int i = 0; i < 10; ++i) {
    best.add(std::vector<std::int32_t>{0, 1, 7, 6});
    expected.add(std::vector<std::int32_t>{0, 1, 7, 6});
  }
  EXPECT_EQ(best.mean().value(), expected.mean().value());
}

TEST(BestLoss, WalksOfAnotherRuleAreRefused) {
  const RuledGraph torus = small_torus(2);
  BestLoss best(torus);
  EXPECT_NO_THROW(best.add(std::vector<std::int32_t>{0, 1, 2}));
  EXPECT_THROW(best.add(std::vector<std::int32_t>{0, 2}), Error);     // no edge
  EXPECT_THROW(best.add(std::vector<std::int32_t>{0, 1, 0}), Error);  // in the window
  EXPECT_THROW(best.add(std::vector<std::int32_t>{0, 30}), Error);    // no node
}

TEST(Walks, SettingsThatNoWalkCanUseAreRefusedByName) {
  const auto refused = [](auto change) {
    WalkSettings settings;
    change(settings);
    try {
      check_walk_settings(settings);
    } catch (const Error& error) {
      return error.message().substr(0, error.message().find(' '));
    }
    return std::string("nothing");
  };
  EXPECT_EQ(refused([](WalkSettings& s) { s.max_length = 0; }), "MAX_LENGTH");
  EXPECT_EQ(refused([](WalkSettings& s) { s.max_seqs = -1; }), "MAX_SEQS");
  EXPECT_EQ(refused([](WalkSettings& s) { s.min_visits_per_node = -1; }), "MIN_VISITS_PER_NODE");
  EXPECT_EQ(refused([](WalkSettings& s) { s.no_repeat_window = -1; }), "NO_REPEAT_WINDOW");
  EXPECT_EQ(refused([](WalkSettings& s) { s.restart_prob = 1.5; }), "RESTART_PROB");
  EXPECT_EQ(refused([](WalkSettings& s) { s.restart_prob = std::nan(""); }), "RESTART_PROB");
  EXPECT_EQ(refused([](WalkSettings& s) { s.temperature = 0.0; }), "TEMPERATURE");
  EXPECT_EQ(refused([](WalkSettings& s) { s.temperature = std::nan(""); }), "TEMPERATURE");
  EXPECT_EQ(refused([](WalkSettings& s) { s.restart_prob = 1.0; }), "nothing");
}

TEST(Walks, ATemperatureTooLowForNumbersIsRefusedAndLeavesNothing) {
  WalkSettings settings;
  settings.temperature = 1e-3;  // weights of 1e2 to the power 1000
  settings.max_length = 200;
  settings.max_seqs = 1000;
  const test::ScratchFolder folder;
  EXPECT_THROW(write_walks(make_surface_graph({Surface::kPlane, 2, 2, 4}).graph, "x", {}, settings,
                           files_in(folder, "x"), ignore_progress),
               Error);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(Walks, NodesWithoutNeighboursJump) {
  const Graph graph{{5, 7}, {0, 0, 0}, {}};
  WalkSettings settings;
  settings.max_length = 50;
  Walker walker(graph, settings);
  const std::span<const std::int32_t> walk = walker.next();
  EXPECT_EQ(std::count(walk.begin(), walk.end(), 0) + std::count(walk.begin(), walk.end(), 1), 50);
  EXPECT_GT(std::count(walk.begin(), walk.end(), 0), 0);
}

TEST(Walks, OneFileForTwoOutputsIsRefused) {
  const test::ScratchFolder folder;
  EXPECT_THROW(write_walks(make_surface_graph({Surface::kPlane, 2, 2, 4}).graph, "x", {}, {},
                           {folder / "same.csv", folder / "same.csv"}, ignore_progress),
               Error);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(WalkRule, ComesBackAsItWasWritten) {
  const test::ScratchFolder folder;
  const fs::path walks = folder.write("walks_t.csv", "12345");
  RuledGraph ruled = small_torus(9);
  ruled.rule.settings.seed = 0xFFFFFFFFFFFFFFFFULL;
  ruled.rule.settings.temperature = 0.3;
  ruled.rule.walks = 17;
  ruled.rule.walks_bytes = 5;
  EXPECT_FALSE(find_walk_rule(walks).has_value());
  write_walk_rule(walk_rule_file(walks), ruled.rule, ruled.graph);
  const std::optional<RuledGraph> again = find_walk_rule(walks);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(walk_rule_json(again->rule), walk_rule_json(ruled.rule));
  EXPECT_EQ(again->graph.labels, ruled.graph.labels);
  EXPECT_EQ(again->graph.offsets, ruled.graph.offsets);
  EXPECT_EQ(again->graph.neighbours, ruled.graph.neighbours);

  folder.write("walks_t.csv", "123456");
  EXPECT_THROW(find_walk_rule(walks), Error);
}

TEST(WalkRule, StandsBesideItsWalks) {
  EXPECT_EQ(walk_rule_file("a/b/walks_torus_30x40.csv"), fs::path("a/b/walk_rule_torus_30x40.json"));
  EXPECT_EQ(walk_rule_file("mine.csv"), fs::path("walk_rule_mine.json"));
}

TEST(WalkRule, BrokenRulesAreRefused) {
  const test::ScratchFolder folder;
  const fs::path file = folder / "rule.json";
  write_walk_rule(file, small_torus(2).rule, small_torus(2).graph);
  const nlohmann::json good = nlohmann::json::parse(test::read_text(file));
  const auto broken = [&](auto change) {
    nlohmann::json json = good;
    change(json);
    folder.write("rule.json", json.dump());
    EXPECT_THROW(read_walk_rule(file), Error) << json.dump();
  };
  broken([](nlohmann::json& j) { j["version"] = 2; });
  broken([](nlohmann::json& j) { j.erase("no_repeat_window"); });
  broken([](nlohmann::json& j) { j["no_repeat_window"] = -1; });
  broken([](nlohmann::json& j) { j["labels"].erase(0); });
  broken([](nlohmann::json& j) { j["labels"][1] = 0; });
  broken([](nlohmann::json& j) { j["neighbours"][0][0] = 30; });
  broken([](nlohmann::json& j) { j["neighbours"][0] = {3, 1}; });
  broken([](nlohmann::json& j) { j["neighbours"][0] = "1 2"; });
  broken([](nlohmann::json& j) { j["walks"] = 3; });
  broken([](nlohmann::json& j) { j = nlohmann::json::array(); });
}

}  // namespace
}  // namespace strider
