#include "train/schedule.h"

#include <gtest/gtest.h>

#include "train/log.h"

namespace strider {
namespace {

TrainingSettings with(LrScheduler scheduler, std::int64_t warmup) {
  TrainingSettings settings;
  settings.lr_scheduler = scheduler;
  settings.warmup_steps = warmup;
  return settings;
}

void expect_rates(const TrainingSettings& settings, const std::vector<double>& expected) {
  for (std::size_t step = 0; step < expected.size(); ++step) {
    EXPECT_EQ(learning_rate_at(settings, static_cast<std::int64_t>(expected.size()), static_cast<std::int64_t>(step)),
              expected[step])
        << step;
  }
}

// What transformers 4.57.1's get_scheduler gives, every bit; for linear with warmup that is in the golden runs.
TEST(Schedule, EqualsGetScheduler) {
  expect_rates(with(LrScheduler::kCosine, 3), {0.0, 0.00016666666666666666, 0.0003333333333333333, 0.0005,
                                               0.00047524221697560476, 0.0004058724504646834, 0.0003056302334890786,
                                               0.00019436976651092142, 9.412754953531663e-05, 2.4757783024395242e-05});
  expect_rates(with(LrScheduler::kConstant, 3), std::vector<double>(10, 5e-4));
  expect_rates(with(LrScheduler::kLinear, 0),
               {0.0005, 0.00042857142857142855, 0.00035714285714285714, 0.0002857142857142857, 0.00021428571428571427,
                0.00014285714285714284, 7.142857142857142e-05});
  expect_rates(with(LrScheduler::kLinear, 20),
               {0.0, 2.5e-05, 5e-05, 7.5e-05, 0.0001, 0.000125, 0.00015, 0.000175, 0.0002, 0.00022500000000000002});
}

// get_wsd_schedule of transformers with num_stable_steps=5, num_decay_steps=3 and decay_type="linear".
TEST(Schedule, StaysAtItsPeakAndThenFalls) {
  TrainingSettings settings = with(LrScheduler::kWarmupStableDecay, 2);
  settings.learning_rate = 1.0;
  settings.decay_share = 0.3;
  expect_rates(settings, {0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0 / 3.0, 1.0 / 3.0});
  settings.decay_share = 1.0;  // cut to what the warm-up leaves: linear
  TrainingSettings linear = settings;
  linear.lr_scheduler = LrScheduler::kLinear;
  for (std::int64_t step = 0; step < 10; ++step) {
    EXPECT_EQ(learning_rate_at(settings, 10, step), learning_rate_at(linear, 10, step)) << step;
  }
  settings.decay_share = 0.01;  // one step at the least
  EXPECT_EQ(learning_rate_at(settings, 10, 9), 1.0);
  EXPECT_EQ(learning_rate_at(settings, 10, 10), 0.0);
}

TEST(Schedule, TheLastStepsAreOfTheHeadAlone) {
  TrainingSettings settings = with(LrScheduler::kLinear, 2);
  settings.learning_rate = 1.0;
  settings.head_learning_rate = 0.5;
  settings.head_steps = 4;
  const auto rates = [&](std::int64_t step) { return group_learning_rates_at(settings, 10, step); };
  const auto at = [](const auto& of_kinds, TensorKind kind) { return of_kinds[static_cast<std::size_t>(kind)]; };
  // The first six are a schedule of six steps.
  TrainingSettings others = settings;
  others.head_steps = 0;
  for (std::int64_t step = 0; step < 6; ++step) {
    EXPECT_EQ(rates(step), group_learning_rates_at(others, 6, step)) << step;
    EXPECT_EQ(learning_rate_at(settings, 10, step), learning_rate_at(others, 6, step)) << step;
  }
  others.learning_rate = 0.5;
  for (std::int64_t step = 6; step < 10; ++step) {
    EXPECT_EQ(at(rates(step), TensorKind::kLmHead), learning_rate_at(others, 4, step - 6)) << step;
    EXPECT_EQ(learning_rate_at(settings, 10, step), learning_rate_at(others, 4, step - 6)) << step;
    for (const TensorKind kind : {TensorKind::kEmbeddings, TensorKind::kMatrices, TensorKind::kNorms}) {
      EXPECT_EQ(at(rates(step), kind), 0.0) << step;
    }
  }
  settings.head_steps = 100;  // at most half
  EXPECT_EQ(at(rates(4), TensorKind::kMatrices), learning_rate_at(with(LrScheduler::kLinear, 2), 5, 4) / 5e-4);
  EXPECT_EQ(at(rates(5), TensorKind::kMatrices), 0.0);
}

TEST(Schedule, TheFirstStepsAreOfTheFirstLayers) {
  LlamaConfig config;
  config.num_hidden_layers = 8;
  TrainingSettings settings = with(LrScheduler::kLinear, 2);
  settings.learning_rate = 1.0;
  settings.first_layers = 3;
  settings.first_steps = 5;
  settings.first_learning_rate = 0.25;
  settings.first_group_learning_rates[static_cast<std::size_t>(TensorKind::kMatrices)] = 0.125;
  settings.head_learning_rate = 0.5;
  settings.head_steps = 4;
  const auto at = [](const auto& of_kinds, TensorKind kind) { return of_kinds[static_cast<std::size_t>(kind)]; };
  // Each part is a schedule of its own: of 5, 11 and 4 steps.
  TrainingSettings plain = with(LrScheduler::kLinear, 2);
  plain.learning_rate = 1.0;
  for (std::int64_t step = 0; step < 20; ++step) {
    const auto rates = group_learning_rates_at(settings, 20, step);
    const Learning learning = learning_at(settings, config, 20, step);
    if (step < 5) {
      EXPECT_EQ(learning, (Learning{.first_layer = 0, .layers = 3})) << step;
      const double factor = learning_rate_at(plain, 5, step);
      EXPECT_EQ(learning_rate_at(settings, 20, step), 0.25 * factor) << step;
      EXPECT_EQ(at(rates, TensorKind::kEmbeddings), 0.25 * factor) << step;
      EXPECT_EQ(at(rates, TensorKind::kMatrices), 0.125 * factor) << step;
    } else if (step < 16) {
      EXPECT_EQ(learning, (Learning{.first_layer = 3, .layers = 8})) << step;
      const double factor = learning_rate_at(plain, 11, step - 5);
      EXPECT_EQ(learning_rate_at(settings, 20, step), factor) << step;
      EXPECT_EQ(at(rates, TensorKind::kEmbeddings), 0.0) << step;
      EXPECT_EQ(at(rates, TensorKind::kMatrices), factor) << step;
    } else {
      EXPECT_EQ(learning, lm_head_learns(config)) << step;
      const double factor = learning_rate_at(plain, 4, step - 16);
      EXPECT_EQ(at(rates, TensorKind::kLmHead), 0.5 * factor) << step;
      EXPECT_EQ(at(rates, TensorKind::kMatrices), 0.0) << step;
    }
  }
  // A run that was continued at step 8 has one more schedule from there, and one continued at step 3 the first as it
  // was.
  EXPECT_EQ(learning_rate_at(settings, 20, 9, 8), learning_rate_at(plain, 8, 1));
  EXPECT_EQ(learning_rate_at(settings, 20, 4, 3), learning_rate_at(settings, 20, 4));
  EXPECT_EQ(learning_rate_at(settings, 20, 7, 3), learning_rate_at(settings, 20, 7));
  EXPECT_EQ(learning_at(settings, config, 20, 4, 3).layers, 3);
  // From a model of another run: the lower layers are left alone from the start.
  settings.first_steps = 0;
  EXPECT_EQ(learning_at(settings, config, 20, 0), (Learning{.first_layer = 3, .layers = 8}));
  settings.first_layers = 0;
  EXPECT_EQ(learning_at(settings, config, 20, 0), all_learn(config));
}

TEST(Schedule, WeightDecaysMayBeOthersInTheFirstSteps) {
  TrainingSettings settings;
  settings.weight_decay = 0.1;
  settings.first_layers = 1;
  settings.first_steps = 5;
  const auto kind = [](TensorKind k) { return static_cast<std::size_t>(k); };
  settings.group_weight_decays[kind(TensorKind::kMatrices)] = 0.2;
  settings.first_group_weight_decays[kind(TensorKind::kLmHead)] = 30.0;
  EXPECT_EQ(group_weight_decays_at(settings, 4), (std::array<double, kTensorKinds>{0.1, 0.2, 30.0, 0.0}));
  EXPECT_EQ(group_weight_decays_at(settings, 5), (std::array<double, kTensorKinds>{0.1, 0.2, 0.1, 0.0}));
}

TEST(Schedule, TimeSetsTheNumberOfSteps) {
  EXPECT_EQ(steps_in_time(60.0, 0.0, 0, 100), 100) << "nothing is measured yet";
  EXPECT_EQ(steps_in_time(60.0, 10.0, 5, 100), 30);
  EXPECT_EQ(steps_in_time(60.0, 10.0, 5, 20), 20);
  EXPECT_EQ(steps_in_time(60.0, 61.0, 5, 100), 5) << "over already: it ends here";
}

TEST(Schedule, ShortBatchesAndShortGroupsAreStepsToo) {
  TrainingSettings settings;
  settings.batch_size = 5;
  settings.gradient_accumulation_steps = 3;
  settings.epochs = 2;
  const StepPlan plan = plan_steps(665, settings);  // golden/run_accumulate
  EXPECT_EQ(plan.batches, 133);
  EXPECT_EQ(plan.steps_per_epoch, 45);
  EXPECT_EQ(plan.max_steps, 90);
  EXPECT_EQ(plan.epochs, 2);
  const StepPlace last = place_of_step(plan, settings, 44);
  EXPECT_EQ(last.epoch, 0);
  EXPECT_EQ(last.first_batch, 132);
  EXPECT_EQ(last.last_batch, 133);
  EXPECT_EQ(last.epoch_after, 1.0);
  EXPECT_EQ(place_of_step(plan, settings, 45).first_batch, 0);
  EXPECT_EQ(place_of_step(plan, settings, 45).epoch, 1);
}

TEST(Schedule, MaxStepsEndsTheRunAndCountsTheEpochsBegun) {
  TrainingSettings settings;
  settings.batch_size = 10;
  settings.epochs = 1;
  settings.max_steps = 25;
  const StepPlan plan = plan_steps(95, settings);
  EXPECT_EQ(plan.steps_per_epoch, 10);
  EXPECT_EQ(plan.max_steps, 25);
  EXPECT_EQ(plan.epochs, 3);
}

TEST(Log, RoundsAsPythonDoes) {
  // Where scaling by 10^4 and rounding goes wrong.
  EXPECT_EQ(round_decimals(4.34325, 4), 4.3433);
  EXPECT_EQ(round_decimals(2.54555, 4), 2.5455);
  EXPECT_EQ(round_decimals(1158.9204999, 3), 1158.92);
  EXPECT_EQ(round_decimals(0.00005, 4), 0.0001);  // 5.00000000000000023960868011929E-5
  EXPECT_EQ(round_decimals(0.125, 2), 0.12);
  EXPECT_EQ(round_decimals(-0.375, 2), -0.38);
}

}  // namespace
}  // namespace strider
