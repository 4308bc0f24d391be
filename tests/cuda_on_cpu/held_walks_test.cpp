// Walks that the engine holds: the numbers that the device makes of them are those that the host writes, and so steps
// and evaluations have the same bits.
#include "engine/cuda/held_walks.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "data/dataset_writer.h"
#include "data/walks_csv.h"
#include "engine/choose_device.h"
#include "engine/cuda/cuda_engine.h"
#include "engine/groups.h"
#include "golden_batch.h"
#include "gpu_under_test.h"
#include "train/evaluation.h"
#include "train/held_dataset.h"

namespace strider {
namespace {

using cuda::DeviceSpan;

using Walks = std::vector<std::vector<std::int32_t>>;

Walks walks_of(std::span<const std::int64_t> lengths, std::int64_t vocab) {
  Walks walks;
  std::int64_t token = 1;
  for (const std::int64_t length : lengths) {
    std::vector<std::int32_t>& walk = walks.emplace_back(static_cast<std::size_t>(length));
    for (std::int32_t& id : walk) {
      token = (token * 48271) % 2147483647;  // minstd
      id = static_cast<std::int32_t>(token % vocab);
    }
  }
  return walks;
}

void hold(Engine& engine, const Walks& walks) {
  std::vector<std::int64_t> lengths;
  for (const auto& walk : walks) lengths.push_back(static_cast<std::int64_t>(walk.size()));
  engine.hold_walks(lengths, [&](std::int64_t walk, std::span<std::int32_t> out) {
    std::ranges::copy(walks[static_cast<std::size_t>(walk)], out.begin());
  });
}

std::int64_t tokens_of(const Walks& walks) {
  std::int64_t tokens = 0;
  for (const auto& walk : walks) tokens += static_cast<std::int64_t>(walk.size());
  return tokens;
}

// Walks of one token of a vocabulary of 8, and every eighth of two or three: a forward pass over few rows.
std::string csv_of(std::int64_t walks) {
  std::string rows = "walk_id,length,sequence_labels\r\n";
  for (std::int64_t walk = 0; walk < walks; ++walk) {
    const std::int64_t length = walk % 8 == 3 ? 2 + walk / 8 % 2 : 1;
    rows += fmt::format("{},{},", walk, length);
    for (std::int64_t t = 0; t < length; ++t) rows += fmt::format("{}{}", t == 0 ? "" : " ", (walk * 3 + t * t) % 8);
    rows += "\r\n";
  }
  return rows;
}

struct NumbersCase {
  std::int64_t vocab = 0, tile = 0;
  std::vector<std::int64_t> lengths;  // of the walks that are held
  std::vector<std::int64_t> asked;    // their numbers, in the order of the call
};

class CudaHeldNumbers : public testing::TestWithParam<NumbersCase> {
 protected:
  void TearDown() override { test::run_backwards(false); }
};

INSTANTIATE_TEST_SUITE_P(
    Walks, CudaHeldNumbers,
    testing::Values(NumbersCase{7, 16, {5, 1, 40, 17, 64, 2}, {3, 0, 2, 5}},     // several tiles of a walk
                    NumbersCase{90, 32, {33, 33, 33}, {2, 1, 0, 1}},             // one of them twice
                    NumbersCase{70'000, 16, {20, 64, 64, 64, 3}, {1, 4, 2, 3}},  // tokens of four bytes, two batches
                    NumbersCase{3, 16, {1, 65, 1}, {1}},                         // that fill a batch by themselves
                    NumbersCase{5, 32, {1, 1, 9}, {0, 1}},                       // without a row
                    NumbersCase{11, 16, {2, 1, 2, 1, 2, 2}, {0, 1, 2, 3, 4, 5}}));

TEST_P(CudaHeldNumbers, AreThoseThatTheHostWrites) {
  const NumbersCase& c = GetParam();
  const Walks walks = walks_of(c.lengths, c.vocab);
  LlamaConfig config;
  config.vocab_size = c.vocab;
  config.head_dim = 8;
  EngineSettings settings{.max_length = *std::ranges::max_element(c.lengths),
                          .walks_per_step = static_cast<std::int64_t>(c.asked.size())};
  cuda::BatchLimits limits = cuda::batch_limits(config, settings, 128);
  limits.tile = c.tile;
  limits.tiles *= 4;  // room for the smallest tiles
  std::vector<WalkView> asked;
  for (const std::int64_t walk : c.asked) asked.emplace_back(walks[static_cast<std::size_t>(walk)]);

  const cuda::Stream stream;
  cuda::HeldMemory memory;
  const std::uint64_t bytes =
      carved_bytes([&](Carver& carver) { cuda::HeldMemory().lay_out(carver, tokens_of(walks), limits); });
  const cuda::DeviceBytes storage(bytes);
  Carver carver(storage.data());
  memory.lay_out(carver, tokens_of(walks), limits);
  EXPECT_EQ(memory.wide.size > 0, c.vocab > 65'536);
  cuda::HeldWalks held;
  held.load(memory, stream, c.lengths, [&](std::int64_t walk, std::span<std::int32_t> out) {
    std::ranges::copy(walks[static_cast<std::size_t>(walk)], out.begin());
  });

  std::vector<std::int32_t> call(static_cast<std::size_t>(limits.batches * limits.numbers()));
  const cuda::HeldCall written = held.write_call(c.asked, limits, call);
  const cuda::DeviceBytes call_storage(call.size() * sizeof(std::int32_t));
  const DeviceSpan<std::int32_t> numbers(reinterpret_cast<std::int32_t*>(call_storage.data()), written.numbers);
  stream.copy_to_device(numbers, call.data());

  const std::vector<cuda::WalkRange> ranges = cuda::cut_into_batches(cuda::lengths_of(asked), 1, limits);
  ASSERT_EQ(written.shapes.size(), ranges.size());
  for (std::size_t batch = 0; batch < ranges.size(); ++batch) {
    const cuda::WalkRange range = ranges[batch];
    std::vector<std::int32_t> expected(static_cast<std::size_t>(limits.numbers()), -7);
    const cuda::BatchShape shape =
        cuda::write_batch(std::span(asked).subspan(range.first, range.last - range.first), 1, limits, expected);
    EXPECT_EQ(written.shapes[batch], shape);
    for (const bool backwards : {false, true}) {
      test::run_backwards(backwards);
      const std::vector<std::int32_t> fresh(expected.size(), -7);
      stream.copy_to_device(memory.batch, fresh.data());
      cuda::gather_batch(stream.get(), memory, numbers, static_cast<std::int64_t>(batch), shape, limits);
      cuda::order_batch(stream.get(), memory, shape, limits);
      std::vector<std::int32_t> made(expected.size());
      stream.copy_to_host<std::int32_t>(made.data(), memory.batch);
      stream.wait();
      EXPECT_EQ(made, expected) << batch;
    }
  }
}

TEST(CudaHeldWalks, MoreThanAnnouncedAreRefused) {
  const cuda::Stream stream;
  cuda::HeldMemory memory;
  const cuda::DeviceBytes storage(64);
  memory.narrow = {reinterpret_cast<std::uint16_t*>(storage.data()), 5};
  cuda::HeldWalks held;
  const std::vector<std::int64_t> lengths = {3, 3};
  EXPECT_THROW(held.load(memory, stream, lengths, [](std::int64_t, std::span<std::int32_t>) {}), std::logic_error);
  EXPECT_THROW(held.lengths_of(std::vector<std::int64_t>{0}), std::logic_error);
}

class CudaHeldSteps : public testing::TestWithParam<Precision>, protected test::GoldenBatch {
 protected:
  void SetUp() override {
    read("gradients_gqa_tied");
    const std::vector<std::int64_t> lengths = {16, 3, 1, 11, 16, 2, 9, 16, 16, 5, 1, 16};
    walks = walks_of(lengths, config.vocab_size);
  }

  // With batches of 64 rows, of which a call of all walks is two.
  std::unique_ptr<Engine> engine(bool holds) const {
    EngineSettings settings = engine_settings(1, GetParam(), test::all_alike(ParameterLayout(config)));
    settings.walks_per_step = static_cast<std::int64_t>(walks.size());
    settings.held_tokens = holds ? tokens_of(walks) : 0;
    auto made = with_golden_weights(cuda::make_engine_with(config, settings, test::make_products(GetParam()), 64));
    if (holds) hold(*made, walks);
    return made;
  }
  std::vector<WalkView> tokens_of_call(std::span<const std::int64_t> numbers) const {
    std::vector<WalkView> tokens;
    for (const std::int64_t number : numbers) tokens.emplace_back(walks[static_cast<std::size_t>(number)]);
    return tokens;
  }
  static StepWork work(const CallWalks& call, std::span<const double> rates) {
    return {.walks = call, .denominator = 40.0, .learning_rates = rates, .max_grad_norm = 0.5};
  }

  Walks walks;
  // Of three steps: two batches, one, and another one of the same shape with other walks.
  const std::vector<std::vector<std::int64_t>> steps = {{7, 0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11}, {3, 9, 2}, {9, 3}};
  const std::vector<double> rates = {1e-2};
  const GiveUp never = [] { return false; };
};

INSTANTIATE_TEST_SUITE_P(Precisions, CudaHeldSteps, testing::Values(Precision::kFloat32, Precision::kBfloat16));

TEST_P(CudaHeldSteps, HaveTheBitsOfWalksFromTheHost) {
  const auto given = engine(false);
  const auto held = engine(true);
  const auto queued = engine(true);
  EXPECT_TRUE(queued->queue_step(work({.held = steps[0]}, rates)));
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::vector<WalkView> tokens = tokens_of_call(steps[i]);
    std::vector<double> expected(tokens.size()), losses(tokens.size());
    const std::optional<double> norm = given->step(work({.tokens = tokens}, rates), expected, never);
    EXPECT_EQ(held->step(work({.held = steps[i]}, rates), losses, never), norm);
    EXPECT_EQ(losses, expected);
    if (i + 1 < steps.size()) {
      EXPECT_TRUE(queued->queue_step(work({.held = steps[i + 1]}, rates)));
    }
    EXPECT_EQ(queued->step(work({.held = steps[i]}, rates), losses, never), norm);
    EXPECT_EQ(losses, expected);
    EXPECT_EQ(held->gradient(), given->gradient());
  }
  EXPECT_EQ(held->parameters(), given->parameters());
  EXPECT_EQ(queued->parameters(), given->parameters());
}

// A step of an engine that holds walks may have others, too.
TEST_P(CudaHeldSteps, WalksFromTheHostStayPossible) {
  const auto given = engine(false);
  const auto held = engine(true);
  const std::vector<WalkView> tokens = tokens_of_call(steps[0]);
  std::vector<double> expected(tokens.size()), losses(tokens.size());
  const auto norm = given->step(work({.tokens = tokens}, rates), expected, never);
  EXPECT_EQ(held->step(work({.tokens = tokens}, rates), losses, never), norm);
  EXPECT_EQ(losses, expected);
}

TEST_P(CudaHeldSteps, CopyLittleMoreThanTheirLosses) {
  if (!test::copied_bytes()) GTEST_SKIP() << "nothing counts copied bytes on a real GPU";
  const auto held = engine(true);
  std::vector<double> losses(steps[0].size());
  const std::int64_t before = *test::copied_bytes();
  held->step(work({.held = steps[0]}, rates), losses, never);
  const auto most = static_cast<std::int64_t>(128 * sizeof(float) + 3 * 16 * sizeof(std::int32_t) + 512);
  EXPECT_LE(*test::copied_bytes() - before, most);
}

// As bench/gpu_step.py counts them: two for the batch.
TEST_P(CudaHeldSteps, LaunchAsManyKernelsAsTheDocsSay) {
  if (!test::launches()) GTEST_SKIP() << "nothing counts launches on a real GPU";
  const auto held = engine(true);
  std::vector<double> losses(steps[1].size());
  const std::int64_t before = *test::launches();
  held->step(work({.held = steps[1]}, rates), losses, never);
  EXPECT_EQ(*test::launches() - before, 13 + 15 * config.num_hidden_layers + 2);
}

// One at a time, or with the next one queued before the one before it is taken; of held walks or others.
TEST_P(CudaHeldSteps, EvaluationsHaveTheSameBitsQueuedAndHeld) {
  const auto model = engine(true);
  std::vector<std::vector<double>> expected;
  for (const auto& call : steps) {
    const std::vector<WalkView> tokens = tokens_of_call(call);
    expected.emplace_back(tokens.size());
    model->evaluate(tokens, expected.back());
  }
  for (const bool is_held : {false, true}) {
    std::vector<std::vector<WalkView>> tokens;
    for (const auto& call : steps) tokens.push_back(tokens_of_call(call));
    const auto walks_of_call = [&](std::size_t i) {
      return is_held ? CallWalks{.held = steps[i]} : CallWalks{.tokens = tokens[i]};
    };
    EXPECT_TRUE(model->queue_evaluation(walks_of_call(0)));
    EXPECT_TRUE(model->queue_evaluation(walks_of_call(1)));
    EXPECT_FALSE(model->queue_evaluation(walks_of_call(2)));
    for (std::size_t i = 0; i < steps.size(); ++i) {
      std::vector<double> losses(steps[i].size());
      EXPECT_TRUE(model->take_evaluation(walks_of_call(i), losses, never));
      EXPECT_EQ(losses, expected[i]);
      if (i == 0) {
        EXPECT_TRUE(model->queue_evaluation(walks_of_call(2)));
      }
    }
  }
  // Given up: what was queued is gone, and the next one finds its own losses.
  EXPECT_TRUE(model->queue_evaluation({.held = steps[0]}));
  EXPECT_TRUE(model->queue_evaluation({.held = steps[1]}));
  std::vector<double> losses(steps[0].size());
  EXPECT_FALSE(model->take_evaluation({.held = steps[0]}, losses, [] { return true; }));
  losses.resize(steps[2].size());
  EXPECT_TRUE(model->take_evaluation({.held = steps[2]}, losses, never));
  EXPECT_EQ(losses, expected[2]);
}

// Of three pieces, which are queued one behind the other: the same bits as from the losses of one piece at a time.
TEST_P(CudaHeldSteps, AnEvaluatorsSumsAreThoseOfOnePieceAtATime) {
  constexpr std::int64_t kWalks = 2105, kAtOnce = 1001, kBatch = 7;
  const test::ScratchFolder scratch;
  const WalksCsv csv(scratch.write("walks.csv", csv_of(kWalks)));
  std::vector<std::int64_t> rows(kWalks), first(4);
  std::iota(rows.begin(), rows.end(), 0);
  std::iota(first.begin(), first.end(), 0);
  const SplitToWrite splits[] = {{"train", first}, {"validation", rows}};
  write_dataset(scratch / "dataset", csv, splits, {});
  const WalkDataset dataset = open_dataset(scratch / "dataset");
  TrainingSettings training;
  training.batch_size = kBatch;
  training.max_length = 2;
  training.loss_denominator = LossDenominator::kLabels;
  ASSERT_EQ(Evaluator::walks_at_once(*dataset.validation, training), kAtOnce);

  EngineSettings settings{.max_length = training.max_length, .walks_per_step = kAtOnce, .precision = GetParam()};
  settings.held_tokens = dataset_tokens(dataset, training.max_length);
  const auto model = with_golden_weights(cuda::make_engine_with(config, settings, test::make_products(GetParam())));
  give_dataset(dataset, training.max_length, *model);

  double expected = 0.0;
  for (std::int64_t begin = 0; begin < kWalks; begin += kAtOnce) {
    WalkBatch piece(kAtOnce, training.max_length, std::nullopt);
    for (std::int64_t row = begin; row < std::min(kWalks, begin + kAtOnce); ++row) piece.add(*dataset.validation, row);
    std::vector<double> losses(piece.lengths().size());
    model->evaluate(piece.walks().tokens, losses);
    for (std::size_t i = 0; i < losses.size(); i += kBatch) {
      const std::size_t count = std::min<std::size_t>(kBatch, losses.size() - i);
      const double loss = std::accumulate(losses.begin() + static_cast<std::ptrdiff_t>(i),
                                          losses.begin() + static_cast<std::ptrdiff_t>(i + count), 0.0);
      const double labels = denominator_of(piece.lengths().subspan(i, count), LossDenominator::kLabels);
      expected += loss / labels * static_cast<double>(count);
    }
  }
  for (const std::optional<std::int64_t> first_held :
       {std::optional<std::int64_t>(), std::optional(dataset.train.size())}) {
    Evaluator evaluator(*dataset.validation, training, *model, first_held);
    EXPECT_EQ(evaluator.run(*model, never)->loss, expected / static_cast<double>(kWalks));
    EXPECT_FALSE(evaluator.run(*model, [] { return true; }));
    EXPECT_EQ(evaluator.run(*model, never)->loss, expected / static_cast<double>(kWalks));
  }
}

TEST_P(CudaHeldSteps, AWalkThatIsNotThereIsRefused) {
  const auto model = engine(true);
  const std::vector<std::int64_t> numbers = {0, static_cast<std::int64_t>(walks.size())};
  EXPECT_THROW(model->queue_evaluation({.held = numbers}), std::logic_error);
  EXPECT_TRUE(model->queue_evaluation({.held = steps[1]}));
}

TEST(CudaHolding, IsChosenWhereTheWalksFit) {
  LlamaConfig config;
  config.vocab_size = 1200;
  EngineSettings settings;
  settings.held_tokens = 1000;
  const std::optional<std::uint64_t> before = test::set_bytes_for_walks(2000);
  if (!before) GTEST_SKIP() << "a real GPU has what it has";
  EXPECT_TRUE(choose_holding(config, settings).holds);
  settings.held_tokens = 1001;
  const HoldingChoice choice = choose_holding(config, settings);
  EXPECT_FALSE(choice.holds);
  EXPECT_NE(choice.why.find("more than the 0.0 MB that are a quarter"), std::string::npos) << choice.why;
  test::set_bytes_for_walks(~std::uint64_t{0});
  settings.held_tokens = std::int64_t{1} << 31;
  EXPECT_FALSE(choose_holding(config, settings).holds);
  test::set_bytes_for_walks(*before);
}

}  // namespace
}  // namespace strider
