// Every draw that Python makes, in Python's order: golden_extra/python_random.json takes one generator per seed through
// all of them, so that a wrong count of draws shows in what comes after.
#include "base/random/python_random.h"

#include <gtest/gtest.h>

#include "golden.h"

namespace strider {
namespace {

TEST(PythonGenerator, DrawsWhatPythonDraws) {
  const nlohmann::json runs = test::golden_json("../golden_extra/python_random.json");
  ASSERT_EQ(runs.size(), 6U);
  for (const nlohmann::json& run : runs) {
    const auto seed = run["seed"].get<std::uint64_t>();
    PythonGenerator generator(seed);
    for (const nlohmann::json& draw : run["draws"]) {
      if (draw.contains("bits")) {
        EXPECT_EQ(generator.bits(draw["bits"].get<int>()), draw["is"].get<std::uint64_t>()) << seed << draw;
        continue;
      }
      const nlohmann::json& sizes = draw.contains("sample") ? draw["sample"] : draw["choices"];
      const auto n = sizes[0].get<std::int64_t>();
      const auto count = sizes[1].get<std::int64_t>();
      const auto drawn = draw.contains("sample") ? generator.sample(n, count) : generator.choices(n, count);
      EXPECT_EQ(drawn, draw["is"].get<std::vector<std::int64_t>>()) << seed << draw;
    }
    EXPECT_EQ(generator.random(), run["random"].get<double>()) << seed;
  }
}

}  // namespace
}  // namespace strider
