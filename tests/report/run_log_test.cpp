// The curves of a run from the files that runs leave, whole, torn and damaged.
#include "report/page/run_log.h"

#include <gtest/gtest.h>

#include "golden.h"

namespace strider {
namespace {

class Log : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) const { scratch.write(name, text); }
  RunLog read() { return read_run_log(scratch.path(), scratch.path(), missing); }
  bool names(const std::string& words) const {
    for (const std::string& text : missing.texts()) {
      if (text.find(words) != std::string::npos) return true;
    }
    return false;
  }

  static constexpr const char* kLines =
      "{\"event\": \"run\", \"step\": 0, \"max_steps\": 40}\n"
      "{\"event\": \"log\", \"step\": 10, \"loss\": 9, \"loss_per_prediction\": 4, \"grad_norm\": 1, "
      "\"learning_rate\": 0.1, \"tokens\": 1000, \"tokens_per_second\": 500, \"time\": 100}\n"
      "{\"event\": \"evaluation\", \"step\": 15, \"eval_loss\": 8, \"eval_loss_per_prediction\": 3.5}\n"
      "{\"event\": \"log\", \"step\": 20, \"loss\": 8, \"loss_per_prediction\": 3, \"grad_norm\": 2, "
      "\"learning_rate\": 0.2, \"tokens\": 2000, \"tokens_per_second\": 250, \"time\": 99999}\n";

  test::ScratchFolder scratch;
  Missing missing;
};

TEST_F(Log, CurvesByStepsTokensAndSeconds) {
  write("metrics.jsonl", kLines);
  const RunLog log = read();
  EXPECT_TRUE(missing.texts().empty());
  EXPECT_EQ(log.loss.value, (std::vector<double>{4, 3}));
  EXPECT_EQ(log.gradient_norm.value, (std::vector<double>{1, 2}));
  EXPECT_EQ(log.loss.tokens, (std::vector<double>{1000, 2000}));
  // Of the steps alone: whatever the clock on the wall says, 1000 / 500 and then 1000 / 250.
  EXPECT_EQ(log.loss.seconds, (std::vector<double>{2, 6}));
  EXPECT_EQ(log.evaluation.value, std::vector<double>{3.5});
  EXPECT_EQ(log.evaluation.tokens, std::vector<double>{1500});
  EXPECT_EQ(log.evaluation.seconds, std::vector<double>{4});
  EXPECT_EQ(log.run["max_steps"], 40);
  EXPECT_TRUE(log.end.is_null());
}

TEST_F(Log, ATornLastLineIsNamedAndTheRestShown) {
  write("metrics.jsonl", std::string(kLines) + "{\"event\": \"lo");
  EXPECT_EQ(read().loss.value.size(), 2U);
  EXPECT_TRUE(names("line 5 of"));
  EXPECT_TRUE(names("has no end"));
}

TEST_F(Log, ADamagedLineIsNamedAndTheRestShown) {
  write("metrics.jsonl", "[1]\nnot JSON\n" + std::string(kLines));
  EXPECT_EQ(read().loss.value.size(), 2U);
  EXPECT_TRUE(names("2 log entries: line 1 of"));
}

TEST_F(Log, FieldsOfAnotherKindAreNotDrawn) {
  write("metrics.jsonl",
        "{\"event\": \"log\", \"step\": \"ten\", \"loss\": 1}\n{\"event\": \"log\", \"step\": 3, \"loss\": null}\n"
        "{\"event\": \"log\", \"step\": 4, \"loss\": 2}\n{\"event\": \"log\", \"step\": 4, \"loss\": 5}\n");
  const RunLog log = read();
  EXPECT_EQ(log.loss.step, std::vector<double>{4});
  EXPECT_TRUE(log.loss.tokens.empty());
}

TEST_F(Log, WithoutMetricsThatOfTheNewestCheckpoint) {
  write("checkpoint-20/trainer_state.json", "{\"log_history\": [{\"step\": 20, \"loss\": 5}]}");
  write("checkpoint-100/trainer_state.json",
        "{\"log_history\": [{\"step\": 10, \"loss\": 4}, {\"step\": 20, \"eval_loss\": 3}]}");
  const RunLog log = read();
  EXPECT_EQ(log.loss.value, std::vector<double>{4});
  EXPECT_EQ(log.evaluation.value, std::vector<double>{3});
  EXPECT_TRUE(log.loss.seconds.empty());
  EXPECT_TRUE(names("by token and by second"));
  write("trainer_state.json", "{\"log_history\": 7}");
  EXPECT_TRUE(read().loss.value.empty());
  EXPECT_TRUE(names("log_history is missing"));
}

TEST_F(Log, NothingAtAll) {
  EXPECT_TRUE(read().loss.value.empty());
  EXPECT_TRUE(names("neither metrics.jsonl nor trainer_state.json"));
}

}  // namespace
}  // namespace strider
