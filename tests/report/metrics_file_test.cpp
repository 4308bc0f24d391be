// metrics.jsonl: what is in it, what a resumed run cuts off, and whose file it is.
#include "report/metrics_file.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "golden.h"

namespace strider {
namespace {

using nlohmann::json;

class Metrics : public testing::Test {
 protected:
  RunStarted start(std::int64_t first_step = 0, bool evaluation_pending = false) const {
    RunStarted event;
    event.output_dir = (scratch / "out").string();
    event.first_step = first_step;
    event.evaluation_pending = evaluation_pending;
    event.best_loss = 1.7;
    return event;
  }

  // Steps up to `last`, logged each, evaluated every second one.
  static void steps(MetricsFile& file, std::int64_t first, std::int64_t last) {
    for (std::int64_t step = first; step <= last; ++step) {
      file.on_step({.step = step, .tokens = 100, .seconds = 0.5});
      file.on_log({.step = step, .loss = 2.0, .loss_per_prediction = 2.1, .tokens = 100 * step});
      if (step % 2 == 0) file.on_evaluation({.step = step, .loss = 1.9, .loss_per_prediction = 1.9, .seconds = 1.0});
    }
  }

  std::vector<json> lines() const {
    std::vector<json> all;
    std::istringstream text(test::read_text(scratch / "out/metrics.jsonl"));
    for (std::string line; std::getline(text, line);) {
      all.push_back(json::parse(line));
      for (const char* name : {"time", "seconds", "tokens_per_second"}) all.back().erase(name);
    }
    return all;
  }

  void begin(std::int64_t last) {
    MetricsFile file(scratch / "out");
    file.on_start(start());
    steps(file, 1, last);
  }

  test::ScratchFolder scratch;
};

TEST_F(Metrics, ALinePerEventAsItHappens) {
  MetricsFile file(scratch / "out");
  file.on_start(start());
  steps(file, 1, 2);
  ASSERT_EQ(lines().size(), 4U);  // also while the run goes
  EXPECT_EQ(lines()[0]["event"], "run");
  EXPECT_EQ(lines()[0]["best_loss"], 1.7);
  EXPECT_EQ(lines()[2], json({{"event", "log"},
                              {"step", 2},
                              {"epoch", 0.0},
                              {"loss", 2.0},
                              {"loss_per_prediction", 2.1},
                              {"grad_norm", 0.0},
                              {"learning_rate", 0.0},
                              {"tokens", 200}}));
  EXPECT_NE(test::read_text(scratch / "out/metrics.jsonl").find("\"tokens_per_second\":200.0"), std::string::npos);
  RunEnded end;
  end.steps = 2;
  end.eval_loss = 1.9;
  end.averaged_steps = 5;
  file.on_end(end);
  EXPECT_EQ(lines().back()["event"], "end");
  EXPECT_EQ(lines().back()["averaged_steps"], 5);
}

TEST_F(Metrics, AResumedRunsFileIsThatOfAnUnbrokenOne) {
  begin(8);
  const std::vector<json> whole = lines();
  for (const bool pending : {false, true}) {
    begin(7);
    std::ofstream(scratch / "out/metrics.jsonl", std::ios::app) << "{\"event\": \"lo";  // killed while it wrote
    MetricsFile file(scratch / "out");
    file.on_start(start(4, pending));
    if (pending) file.on_evaluation({.step = 4, .loss = 1.9, .loss_per_prediction = 1.9, .seconds = 1.0});
    steps(file, 5, 8);
    EXPECT_EQ(lines(), whole) << pending;
  }
}

TEST_F(Metrics, ANewRunBeginsANewFile) {
  begin(8);
  MetricsFile(scratch / "out").on_start(start());
  EXPECT_EQ(lines().size(), 1U);
}

TEST_F(Metrics, WhatIsNotTheRunsIsNotTouched) {
  const auto refused = [&](const std::string& text, const RunStarted& event, const std::string& words) {
    const std::filesystem::path folder = scratch / "logs";
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "metrics.jsonl") << text;
    try {
      MetricsFile(folder).on_start(event);
      return false;
    } catch (const Error& error) {
      return std::string(error.what()).find(words) != std::string::npos &&
             test::read_text(folder / "metrics.jsonl") == text;
    }
  };
  EXPECT_TRUE(refused("my notes\n", start(), "not written by Strider"));
  EXPECT_TRUE(refused("{\"loss\": 1}\n", start(), "not written by Strider"));
  EXPECT_TRUE(refused("{\"event\": \"run\", \"step\": 0, \"output_dir\": \"/elsewhere\"}\n", start(),
                      "is of the run in /elsewhere"));
}

}  // namespace
}  // namespace strider
