// TensorBoard's event files: what is in them, what a later sitting of the run writes, and whose files are removed.
// tests/front_door/tensorboard_test.py reads them with TensorBoard itself.
#include "report/tensorboard_events.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <numeric>

#include "golden.h"
#include "io/record_file.h"

#if STRIDER_HAS_PROTOBUF
#include "report/event.pb.h"
#else
#include "base/error.h"
#endif

namespace strider {
namespace {

#if STRIDER_HAS_PROTOBUF

using tensorboard::Event;
using tensorboard::SessionLog;
using Scalars = std::map<std::string, float>;

class Curves : public testing::Test {
 protected:
  static RunStarted start(std::int64_t first_step = 0, bool evaluation_pending = false) {
    RunStarted event;
    event.first_step = first_step;
    event.evaluation_pending = evaluation_pending;
    event.best_loss = 1.5;
    event.peak_flops = 1000.0;
    return event;
  }

  static void steps(RunListener& curves, std::int64_t first, std::int64_t last) {
    for (std::int64_t step = first; step <= last; ++step) {
      curves.on_step({.step = step, .tokens = 100, .flops = 125.0, .seconds = 0.5});
      curves.on_log({.step = step, .epoch = 0.25, .loss = 2.0, .loss_per_prediction = 1.75, .tokens = 100 * step});
      if (step % 2 == 0) curves.on_evaluation({.step = step, .loss = 3.0, .loss_per_prediction = 2.0, .seconds = 4.0});
    }
  }

  void run(const RunStarted& event, std::int64_t last) const {
    const auto curves = make_tensorboard_events(folder);
    curves->on_start(event);
    steps(*curves, event.first_step + 1, last);
    curves->on_end({});
  }

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) all.push_back(entry.path().filename());
    std::sort(all.begin(), all.end());
    return all;
  }

  std::vector<Event> events(const std::string& name) const {
    std::vector<Event> all;
    for (const std::string& record : read_records(folder / name)) {
      EXPECT_TRUE(all.emplace_back().ParseFromString(record));
    }
    return all;
  }

  static Scalars scalars(const Event& event) {
    Scalars all;
    for (const auto& value : event.summary().value()) all[value.tag()] = value.simple_value();
    return all;
  }

  // How often the newest file has an evaluation of the step.
  std::size_t evaluations(std::int64_t step) const {
    std::size_t count = 0;
    for (const Event& event : events(names().back())) {
      count += event.step() == step ? scalars(event).count("eval/loss") : 0;
    }
    return count;
  }

  test::ScratchFolder scratch;
  const std::filesystem::path folder = scratch / "logs";
};

TEST_F(Curves, HaveTheTagsAndValuesOfEachEvent) {
  EXPECT_TRUE(has_tensorboard_events());
  const auto curves = make_tensorboard_events(folder);
  curves->on_start(start());
  steps(*curves, 1, 2);
  ASSERT_EQ(names().size(), 1U);
  EXPECT_TRUE(names()[0].starts_with("events.out.tfevents."));
  const std::vector<Event> all = events(names()[0]);  // while the run goes
  ASSERT_EQ(all.size(), 5U);
  EXPECT_EQ(all[0].file_version(), "brain.Event:2");
  EXPECT_EQ(all[1].session_log().status(), SessionLog::START);
  EXPECT_GT(all[2].wall_time(), 1.7e9);
  EXPECT_EQ(all[3].step(), 2);
  EXPECT_EQ(scalars(all[3]), (Scalars{{"train/loss", 2.0F},
                                      {"train/excess_loss", 0.25F},
                                      {"train/grad_norm", 0.0F},
                                      {"train/learning_rate", 0.0F},
                                      {"train/epoch", 0.25F},
                                      {"train/num_input_tokens_seen", 200.0F},
                                      {"train/tokens_per_second", 200.0F},
                                      {"train/share_of_peak", 0.25F}}));
  EXPECT_EQ(scalars(all[4]), (Scalars{{"eval/loss", 3.0F}, {"eval/excess_loss", 0.5F}, {"eval/runtime", 4.0F}}));
}

TEST_F(Curves, HaveHistogramsOfWeightsAndGradients) {
  const auto curves = make_tensorboard_events(folder);
  curves->on_start(start());
  const std::vector<float> weights = {1.0F, -2.0F, 4.0F}, gradient = {0.5F};
  const std::vector<TensorValues> tensors = {{"a.weight", weights, gradient}, {"b.weight", gradient, weights}};
  curves->on_weights({.step = 7, .tensors = tensors});
  const std::vector<Event> all = events(names()[0]);
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[2].step(), 7);
  EXPECT_EQ(all[2].summary().value(0).tag(), "weights/a.weight");
  EXPECT_EQ(all[3].summary().value(1).tag(), "gradients/b.weight");
  const auto& made = all[3].summary().value(1).histo();
  EXPECT_EQ(made.num(), 3.0);
  EXPECT_EQ(made.min(), -2.0);
  EXPECT_EQ(made.max(), 4.0);
  EXPECT_EQ(made.sum(), 3.0);
  EXPECT_EQ(made.sum_squares(), 21.0);
  EXPECT_EQ(made.bucket_limit_size(), made.bucket_size());
  EXPECT_EQ(std::accumulate(made.bucket().begin(), made.bucket().end(), 0.0), 3.0);
}

TEST_F(Curves, WhatIsNotKnownIsAbsent) {
  const auto curves = make_tensorboard_events(folder);
  curves->on_start({});
  curves->on_log({.step = 1, .loss = 2.0});
  EXPECT_EQ(
      scalars(events(names()[0]).at(2)),
      (Scalars{{"train/loss", 2.0F}, {"train/grad_norm", 0.0F}, {"train/learning_rate", 0.0F}, {"train/epoch", 0.0F}}));
}

TEST_F(Curves, ALaterSittingWritesAFileThatIsReadLast) {
  run(start(), 6);
  std::ofstream(folder / names()[0], std::ios::app) << "torn";
  const std::string first = test::read_text(folder / names()[0]);
  for (std::size_t sittings = 2; sittings <= 4; ++sittings) {  // all within a second
    const std::string newest = names().back();
    run(start(4), 6);
    ASSERT_EQ(names().size(), sittings);
    EXPECT_GT(names().back(), newest);
    const Event session = events(names().back()).at(1);
    EXPECT_EQ(session.session_log().status(), SessionLog::START);
    EXPECT_EQ(session.step(), 5);  // the first that is shown anew
  }
  EXPECT_EQ(test::read_text(folder / names()[0]), first);
}

TEST_F(Curves, ARunThatBeginsAnewRemovesThoseOfStriderAlone) {
  const std::string foreign = "events.out.tfevents.9000000000.host.1.0";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / foreign) << "of another program";
  run(start(), 6);
  run(start(4), 6);
  ASSERT_EQ(names().size(), 3U);
  const std::string newest = names().back();
  run(start(), 2);
  ASSERT_EQ(names().size(), 2U);
  EXPECT_EQ(test::read_text(folder / foreign), "of another program");
  EXPECT_GT(names().back(), newest);
  EXPECT_EQ(events(names().back()).at(1).step(), 0);
}

// A checkpoint is written before its step's evaluation, which a kill may or may not have left time for.
TEST_F(Curves, AnEvaluationThatIsMadeAgainIsWrittenOnce) {
  const auto go_on = [&] {
    const auto curves = make_tensorboard_events(folder);
    curves->on_start(start(4, true));
    curves->on_evaluation({.step = 4, .loss = 3.0});
    curves->on_evaluation({.step = 6, .loss = 3.0});
    EXPECT_EQ(evaluations(6), 1U);
  };
  run(start(), 3);
  go_on();
  EXPECT_EQ(evaluations(4), 1U);  // it was missing
  go_on();
  EXPECT_EQ(evaluations(4), 0U);  // the file before has it
  run(start(2), 3);               // from an older checkpoint: hides it
  go_on();
  EXPECT_EQ(evaluations(4), 1U);
}

TEST_F(Curves, ARunThatWasFinishedBeforeWritesNothing) {
  make_tensorboard_events(folder)->on_end({});
  EXPECT_FALSE(std::filesystem::exists(folder));
}

#else

TEST(Curves, ABuildWithoutLibprotobufSaysSo) {
  EXPECT_FALSE(has_tensorboard_events());
  EXPECT_THROW(make_tensorboard_events("folder"), Error);
}

#endif

}  // namespace
}  // namespace strider
