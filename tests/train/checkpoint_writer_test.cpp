// Checkpoints written beside training: what is copied, what is reported and when, and what becomes of an error.
#include "train/checkpoint_writer.h"

#include <thread>

#include "optimize/parameter_groups.h"
#include "runs.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

class Writer : public testing::Test {
 protected:
  static LlamaConfig tiny() {
    LlamaConfig made;
    made.vocab_size = 5;
    made.hidden_size = 8;
    made.intermediate_size = 16;
    made.num_hidden_layers = 1;
    made.num_attention_heads = made.num_key_value_heads = 1;
    made.head_dim = 8;
    return made;
  }

  TrainingSettings settings_of() {
    TrainingSettings made;
    made.output_dir = scratch / "out";
    made.save_steps = 1;
    made.save_total_limit = 2;
    return made;
  }

  void train_one_step() {
    engine->forward_backward(std::span(&walk, 1), 2.0, std::span(&loss, 1));
    engine->gradient_norm();
    engine->update(1e-2, 1.0);
    state.global_step += 1;
  }

  void expect_checkpoint_of(std::int64_t step, std::span<const float> parameters) {
    const Checkpoint read =
        read_checkpoint(settings.output_dir / checkpoint_name(step), engine->layout(), engine->optimizer_state());
    EXPECT_TRUE(std::equal(parameters.begin(), parameters.end(), read.parameters.begin(), read.parameters.end()));
    EXPECT_EQ(read.state.global_step, step);
  }

  test::ScratchFolder scratch;
  TrainingSettings settings = settings_of();
  LlamaConfig config = tiny();
  std::unique_ptr<Engine> engine =
      make_engine(config, {.max_length = 4, .groups = trainer_groups(ParameterLayout(config), {}, 0.01)});
  StepPlan plan{.walks = 9, .batches = 9, .steps_per_epoch = 9, .max_steps = 9, .epochs = 1};
  test::json fingerprint = test::json::object();
  ModelCompanions companions;
  CheckpointOrigin origin{settings, engine->config(), engine->layout(), plan, fingerprint, companions};
  TrainerState state;
  std::vector<std::int32_t> ids{1, 2, 3};
  WalkView walk{ids};
  double loss = 0.0;
  std::vector<std::int64_t> written;
  std::vector<std::thread::id> told_in;
  std::function<void(std::int64_t, const Notices&)> report = [this](std::int64_t step, const Notices&) {
    written.push_back(step);
    told_in.push_back(std::this_thread::get_id());
  };

  Writer() {
    std::vector<float> values(static_cast<std::size_t>(engine->layout().total()));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.01F * static_cast<float>(i % 7);
    engine->set_parameters(values);
  }
};

TEST_F(Writer, KeepsTheWeightsOfItsStepWhileTrainingGoesOn) {
  CheckpointWriter writer(origin, *engine, report);
  std::vector<std::vector<float>> parameters;
  for (int step = 1; step <= 4; ++step) {
    train_one_step();
    parameters.push_back(engine->parameters());
    writer.save(*engine, state);
  }
  train_one_step();
  writer.wait();
  EXPECT_EQ(test::checkpoints_of(settings.output_dir), (std::vector<std::string>{"checkpoint-3", "checkpoint-4"}));
  expect_checkpoint_of(3, parameters[2]);
  expect_checkpoint_of(4, parameters[3]);
  EXPECT_NE(parameters[2], parameters[3]);
}

TEST_F(Writer, TellsOfEachWholeCheckpointOnceInTheCallersThread) {
  const auto on_disk = [&](std::int64_t step, const Notices& notices) {
    report(step, notices);
    EXPECT_NO_THROW(check_checkpoint(settings.output_dir / checkpoint_name(step)));
  };
  CheckpointWriter writer(origin, *engine, on_disk);
  writer.poll();
  writer.wait();
  EXPECT_TRUE(written.empty());
  for (int step = 1; step <= 3; ++step) {
    train_one_step();
    writer.save(*engine, state);
  }
  while (written.size() < 3) writer.poll();
  writer.wait();
  EXPECT_EQ(written, (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(told_in, std::vector<std::thread::id>(3, std::this_thread::get_id()));
}

TEST_F(Writer, AnErrorIsThrownOnceByWhoeverLooksNext) {
  std::ofstream(settings.output_dir) << "a file where the folder should be";
  CheckpointWriter writer(origin, *engine, report);
  const auto error_of = [](const auto& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.details().file;
    }
    return std::string();
  };
  train_one_step();
  writer.save(*engine, state);
  EXPECT_EQ(error_of([&] { writer.wait(); }), settings.output_dir.string());
  EXPECT_EQ(error_of([&] { writer.wait(); }), "");
  writer.save(*engine, state);
  EXPECT_EQ(error_of([&] { writer.save(*engine, state); }), settings.output_dir.string());
  writer.save(*engine, state);
  std::string polled;
  while (polled.empty()) polled = error_of([&] { writer.poll(); });
  EXPECT_EQ(polled, settings.output_dir.string());
  EXPECT_TRUE(written.empty());
}

TEST_F(Writer, EndsWhatItBeganBeforeItGoes) {
  train_one_step();
  { CheckpointWriter(origin, *engine, report).save(*engine, state); }
  expect_checkpoint_of(1, engine->parameters());
  EXPECT_TRUE(written.empty());
}

TEST_F(Writer, SignalsAreNotForItsThread) {
  const auto blocking_threads = [] {
    int count = 0;
    for (const fs::directory_entry& task : fs::directory_iterator("/proc/self/task")) {
      const std::string status = test::read_text(task.path() / "status");
      const std::size_t at = status.find("SigBlk:");
      const std::uint64_t blocked = std::stoull(status.substr(at + 7), nullptr, 16);
      const auto has = [&](int number) { return (blocked >> (number - 1) & 1U) != 0; };
      if (has(SIGTERM) && has(SIGINT) && has(SIGUSR1)) ++count;
    }
    return count;
  };
  const int before = blocking_threads();  // a library may have one of its own
  const CheckpointWriter writer(origin, *engine, report);
  EXPECT_EQ(blocking_threads(), before + 1);
}

}  // namespace
}  // namespace strider
