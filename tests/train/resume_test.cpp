// Interrupted runs go on as if they had not stopped; what is in an output folder is never lost by mistake.
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "engine/engine.h"
#include "io/atomic_file.h"
#include "io/checksum.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "runs.h"
#include "train/run_lock.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

void damage(const fs::path& file) {
  std::string bytes = test::read_text(file);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  std::ofstream(file, std::ios::binary) << bytes;
}

std::vector<std::string> with_one_digit_changed(const std::string& whole) {
  std::vector<std::string> changes;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (whole[i] < '0' || whole[i] > '9') continue;
    changes.push_back(whole);
    changes.back()[i] = static_cast<char>('0' + (whole[i] - '0' + 1) % 10);
  }
  return changes;
}

class Resume : public testing::Test {
 protected:
  static TrainingSettings settings_in(const fs::path& output, const std::string& name = "run") {
    TrainingSettings made = test::golden_settings(name, output);
    made.eval_steps = made.save_steps = 10;
    made.max_steps = 60;
    return made;
  }
  test::ScratchFolder scratch;
  TrainingSettings settings = settings_in(scratch / "out");
};

class StoppedRun : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Golden, StoppedRun, testing::Values("run", "run_accumulate"));

TEST_P(StoppedRun, IsTheSameRun) {
  const test::ScratchFolder scratch;
  TrainingSettings whole = test::golden_settings(GetParam(), scratch / "whole");
  whole.save_total_limit = 3;
  whole.logging_steps = 7;  // so that it stops between two entries
  whole.eval_steps = 5;     // and at evaluations that no checkpoint is asked for
  whole.save_steps = 20;
  test::run(whole);
  TrainingSettings pieces = whole;
  pieces.output_dir = scratch / "pieces";
  for (const std::int64_t stop : {3, 25, 40, 41, 77, 0}) {
    pieces.threads = stop % 2 == 0 ? 1 : 3;  // the number of threads changes nothing
    EXPECT_EQ(test::run(pieces, stop).stopped_by, stop == 0 ? 0 : SIGTERM);
  }
  EXPECT_EQ(test::read_text(pieces.output_dir / "final_model/model.safetensors"),
            test::read_text(whole.output_dir / "final_model/model.safetensors"));
  EXPECT_EQ(test::without_times(test::log_of(pieces.output_dir)), test::without_times(test::log_of(whole.output_dir)));
  EXPECT_EQ(test::checkpoints_of(pieces.output_dir), test::checkpoints_of(whole.output_dir));
  const std::string last = test::checkpoints_of(whole.output_dir).back();
  for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
    EXPECT_EQ(test::read_text(pieces.output_dir / last / file), test::read_text(whole.output_dir / last / file));
  }
}

TEST_F(Resume, AFinishedRunSaysSoEvenWithoutItsCheckpoints) {
  const TrainingOutcome first = test::run(settings);
  for (const CheckpointPlace& place : list_checkpoints(settings.output_dir)) fs::remove_all(place.folder);
  test::Recorder recorder;
  const TrainingOutcome again = test::run(settings, recorder);
  EXPECT_TRUE(again.already_finished);
  EXPECT_TRUE(recorder.steps.empty());
  EXPECT_EQ(again.steps, 60);
  EXPECT_EQ(again.best_checkpoint, first.best_checkpoint);
  EXPECT_EQ(again.final_eval_loss, first.final_eval_loss);
  settings.learning_rate = 1e-3;
  EXPECT_NE(test::refusal(settings).find("learning_rate was 0.0005, now 0.001"), std::string::npos);
}

TEST_F(Resume, OtherSettingsAreRefusedByName) {
  test::run(settings, 5);
  TrainingSettings other = settings;
  other.learning_rate = 1e-3;
  other.batch_size = 4;
  const std::string text = test::refusal(other);
  EXPECT_NE(text.find("learning_rate was 0.0005, now 0.001"), std::string::npos) << text;
  EXPECT_NE(text.find("batch_size was 8, now 4"), std::string::npos) << text;
  EXPECT_EQ(text.find("seed"), std::string::npos) << text;
  EXPECT_NE(text.find("OVERWRITE=true"), std::string::npos) << text;
  EXPECT_EQ(test::checkpoints_of(other.output_dir), (std::vector<std::string>{"checkpoint-5"}));
  other.overwrite = true;
  test::Recorder recorder;
  test::run(other, recorder);
  EXPECT_EQ(recorder.steps.front().step, 1);
}

TEST_F(Resume, OtherWalksAreOtherSettings) {
  test::run(settings, 5);
  settings.dataset_dir = test::golden("run_accumulate") / "dataset";
  EXPECT_NE(test::refusal(settings).find("train_data"), std::string::npos) << test::refusal(settings);
}

TEST_F(Resume, NeverIsNever) {
  test::run(settings, 5);
  settings.resume = false;
  EXPECT_NE(test::refusal(settings).find("RESUME"), std::string::npos) << test::refusal(settings);
}

TEST_F(Resume, ADamagedCheckpointIsNamedAndPassedOver) {
  test::run(settings, 31);
  ASSERT_EQ(test::checkpoints_of(settings.output_dir),
            (std::vector<std::string>{"checkpoint-20", "checkpoint-30", "checkpoint-31"}));
  damage(settings.output_dir / "checkpoint-31/model.safetensors");
  std::ofstream(settings.output_dir / "checkpoint-30/strider_state.json") << "{\"version\":";
  test::Recorder recorder;
  recorder.stop_after = 24;
  test::run(settings, recorder);
  ASSERT_EQ(recorder.notices.size(), 2U);
  EXPECT_NE(recorder.notices[0].find("checkpoint-31 is damaged"), std::string::npos) << recorder.notices[0];
  EXPECT_NE(recorder.notices[0].find("model.safetensors"), std::string::npos) << recorder.notices[0];
  EXPECT_NE(recorder.notices[1].find("checkpoint-30 is damaged"), std::string::npos) << recorder.notices[1];
  EXPECT_EQ(recorder.steps.front().step, 21);

  test::run(settings);
  TrainingSettings whole = settings_in(scratch / "whole");
  test::run(whole);
  EXPECT_EQ(test::read_text(settings.output_dir / "final_model/model.safetensors"),
            test::read_text(whole.output_dir / "final_model/model.safetensors"));
}

TEST_F(Resume, NoDigitOfACheckpointsStateCanChangeUnnoticed) {
  test::run(settings, 5);
  const fs::path file = settings.output_dir / "checkpoint-5/strider_state.json";
  const std::string whole = test::read_text(file);
  const std::vector<std::string> changes = with_one_digit_changed(whole);
  EXPECT_GT(changes.size(), 200U);
  for (const std::string& changed : changes) {
    std::ofstream(file, std::ios::binary) << changed;
    EXPECT_THROW(checkpoint_settings(file.parent_path()), Error) << changed << " of " << whole;
  }
  std::ofstream(file, std::ios::binary) << whole;
  EXPECT_NO_THROW(checkpoint_settings(file.parent_path()));
}

TEST_F(Resume, NoDigitOfWhatSaysThatTheRunIsFinishedCanChangeUnnoticed) {
  test::run(settings);
  const fs::path file = settings.output_dir / "strider_run.json";
  const std::string whole = test::read_text(file);
  std::vector<std::string> changes = with_one_digit_changed(whole);
  std::erase_if(changes, [&](const std::string& changed) {
    if (!json::accept(changed)) return true;            // 9.5 became 0.5, but 12.5 became 02.5: broken JSON, not damage
    return json::parse(changed) == json::parse(whole);  // a digit past what a double holds
  });
  EXPECT_GT(changes.size(), 100U);
  for (const std::string& changed : changes) {
    std::ofstream(file, std::ios::binary) << changed;
    const std::string text = test::refusal(settings);
    EXPECT_NE(text.find("damaged"), std::string::npos) << changed << " of " << whole << text;
    EXPECT_NE(text.find("Remove that file"), std::string::npos) << text;
  }
}

TEST_F(Resume, WithoutTheDamagedFileTheRunEndsAgainFromItsNewestCheckpoint) {
  const TrainingOutcome first = test::run(settings);
  const fs::path file = settings.output_dir / "strider_run.json";
  const std::string weights = test::read_text(first.final_model / "model.safetensors");
  std::ofstream(file, std::ios::binary) << "{\"version\": 2, ";
  const std::string text = test::refusal(settings);
  EXPECT_NE(text.find("broken JSON"), std::string::npos) << text;
  EXPECT_NE(text.find("Remove that file"), std::string::npos) << text;
  fs::remove(file);
  const TrainingOutcome again = test::run(settings);
  EXPECT_FALSE(again.already_finished);
  EXPECT_EQ(again.final_eval_loss, first.final_eval_loss);
  EXPECT_EQ(test::read_text(again.final_model / "model.safetensors"), weights);
  EXPECT_TRUE(test::run(settings).already_finished);
}

// As before there was a checksum.
TEST_F(Resume, AFinishedRunOfVersionOneIsReadStill) {
  test::run(settings);
  const fs::path file = settings.output_dir / "strider_run.json";
  nlohmann::json object = nlohmann::json::parse(test::read_text(file));
  object["version"] = 1;
  std::ofstream(file, std::ios::binary) << object;
  EXPECT_NE(test::refusal(settings).find("damaged"), std::string::npos) << "a checksum in version 1";
  object.erase("crc32");
  std::ofstream(file, std::ios::binary) << object;
  EXPECT_TRUE(test::run(settings).already_finished);
  for (const char* field : {"settings", "result"}) {
    nlohmann::json without = object;
    without.erase(field);
    std::ofstream(file, std::ios::binary) << without;
    EXPECT_NE(test::refusal(settings).find("damaged"), std::string::npos) << field;
  }
}

TEST_F(Resume, AFolderWithBytesThatAreNoTextIsAFolder) {
  settings.output_dir = scratch / "caf\xe9";
  test::run(settings, 5);
  test::Recorder recorder;
  recorder.stop_after = 6;
  test::run(settings, recorder);
  EXPECT_EQ(recorder.steps.front().step, 6);
}

TEST_F(Resume, WithoutAnyGoodCheckpointNothingIsStartedAnewInSilence) {
  test::run(settings, 5);
  damage(settings.output_dir / "checkpoint-5/optimizer.safetensors");
  const std::string text = test::refusal(settings);
  EXPECT_NE(text.find("no checkpoint can be read"), std::string::npos) << text;
  EXPECT_NE(text.find("optimizer.safetensors"), std::string::npos) << text;
}

TEST_F(Resume, ADamagedBestCheckpointIsFoundBeforeTheRunGoesOn) {
  settings.save_total_limit = 0;
  test::run(settings, 25);
  damage(settings.output_dir / "checkpoint-20/model.safetensors");
  const std::string text = test::refusal(settings);
  EXPECT_NE(text.find("lowest evaluation loss is damaged"), std::string::npos) << text;
}

// Losses fall, rise and fall again: the newest checkpoint is the best one, and the one before names a best one that
// was removed for it.
TEST_F(Resume, ADamagedNewestThatIsTheBestIsMadeAgain) {
  settings.eval_steps = settings.save_steps = 1;
  settings.learning_rate = 0.05;
  settings.warmup_steps = 2;
  settings.max_steps = 24;
  TrainingSettings whole = settings;
  whole.output_dir = scratch / "whole";
  test::run(whole);
  std::vector<double> losses;
  for (const json& entry : test::log_of(whole.output_dir)) {
    if (entry.contains("eval_loss")) losses.push_back(entry["eval_loss"]);
  }
  std::int64_t newest = 0;
  double best = losses.at(0);
  for (std::size_t i = 1; i + 1 < losses.size() && newest == 0; ++i) {
    if (losses[i] >= best && losses[i + 1] < best && i > 1) newest = static_cast<std::int64_t>(i) + 2;
    best = std::min(best, losses[i]);
  }
  ASSERT_GT(newest, 0) << "no loss fell after it had risen";
  test::run(settings, newest);
  const std::vector<std::string> kept = {checkpoint_name(newest - 1), checkpoint_name(newest)};
  ASSERT_EQ(test::checkpoints_of(settings.output_dir), kept);
  damage(settings.output_dir / kept[1] / "model.safetensors");
  test::Recorder recorder;
  test::run(settings, recorder);
  EXPECT_EQ(recorder.steps.front().step, newest);
  EXPECT_EQ(recorder.notices.size(), 2U);
  EXPECT_EQ(test::read_text(settings.output_dir / "final_model/model.safetensors"),
            test::read_text(whole.output_dir / "final_model/model.safetensors"));
  EXPECT_EQ(test::without_times(test::log_of(settings.output_dir)),
            test::without_times(test::log_of(whole.output_dir)));
}

TEST_F(Resume, AnOverwritingThatWasBrokenOffIsEnded) {
  test::run(settings);
  fs::remove_all(settings.output_dir / test::checkpoints_of(settings.output_dir).front());
  std::ofstream(settings.output_dir / ".strider.overwriting");
  test::Recorder recorder;
  recorder.stop_after = 3;
  test::run(settings, recorder);
  EXPECT_EQ(recorder.steps.front().step, 1);
  EXPECT_EQ(test::checkpoints_of(settings.output_dir), (std::vector<std::string>{"checkpoint-3"}));
  EXPECT_FALSE(fs::exists(settings.output_dir / ".strider.overwriting"));
}

TEST_F(Resume, FoldersOfAnotherProgramStay) {
  for (const char* name : {"checkpoint-7", "final_model"}) {
    const test::ScratchFolder own;
    settings.output_dir = own / "out";
    fs::create_directories(settings.output_dir / name);
    for (const bool overwrite : {false, true}) {
      settings.overwrite = overwrite;
      const std::string text = test::refusal(settings);
      EXPECT_NE(text.find(std::string(name) + " was not written by Strider"), std::string::npos) << text;
      EXPECT_TRUE(fs::exists(settings.output_dir / name));
    }
  }
}

TEST_F(Resume, OverwritingLeavesOtherFilesAlone) {
  test::run(settings);
  std::ofstream(settings.output_dir / "notes.txt") << "mine";
  settings.overwrite = true;
  test::Recorder recorder;
  recorder.stop_after = 3;
  test::run(settings, recorder);
  EXPECT_EQ(recorder.steps.size(), 3U);
  EXPECT_EQ(test::checkpoints_of(settings.output_dir), (std::vector<std::string>{"checkpoint-3"}));
  EXPECT_FALSE(fs::exists(settings.output_dir / "final_model"));
  EXPECT_FALSE(fs::exists(settings.output_dir / "trainer_state.json"));
  EXPECT_EQ(test::read_text(settings.output_dir / "notes.txt"), "mine");
}

TEST_F(Resume, TwoRunsNeverWriteToOneFolder) {
  const RunLock lock(settings.output_dir);
  EXPECT_NE(test::refusal(settings).find("another run writes"), std::string::npos) << test::refusal(settings);
}

TEST_F(Resume, WhatAKilledRunLeftHalfWrittenIsRemoved) {
  fs::create_directories(settings.output_dir / ".checkpoint-10.partial-4711");
  fs::create_directories(settings.output_dir / ".mine.partial-4711");
  test::run(settings, 1);
  EXPECT_FALSE(fs::exists(settings.output_dir / ".checkpoint-10.partial-4711"));
  EXPECT_TRUE(fs::exists(settings.output_dir / ".mine.partial-4711"));
}

// Killed at any moment, a run goes on to the same end.
TEST_F(Resume, AKilledRunGoesOn) {
  TrainingSettings whole = settings_in(scratch / "whole");
  test::run(whole);
  for (const std::int64_t die_after : {9, 10, 34, 60}) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      struct Dying : test::Recorder {
        std::int64_t last = 0;
        void on_step(const StepDone& facts) override {
          if (facts.step == last) _exit(0);
        }
      } observer;
      observer.last = die_after;
      test::run(settings, observer);
      _exit(1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0) << die_after;
  }
  test::run(settings);
  EXPECT_EQ(test::read_text(settings.output_dir / "final_model/model.safetensors"),
            test::read_text(whole.output_dir / "final_model/model.safetensors"));
}

// Checkpoints of versions that had AdamW alone name its state otherwise, and their settings have no optimizer.
TEST_F(Resume, ACheckpointFromBeforeThereWereOptimizersGoesOn) {
  TrainingSettings whole = settings_in(scratch / "whole");
  test::run(whole);
  test::run(settings, 33);
  const fs::path folder = settings.output_dir / "checkpoint-33";
  const fs::path file = folder / "optimizer.safetensors";
  std::vector<TensorToWrite> tensors;
  std::vector<std::vector<float>> values;
  {
    const SafetensorsFile now(file);
    for (const auto& [name, before] : {std::pair{"exp_avg", "first_moments"}, {"exp_avg_sq", "second_moments"}}) {
      const TensorEntry* entry = now.find(name);
      ASSERT_NE(entry, nullptr);
      values.emplace_back(static_cast<std::size_t>(entry->elements()));
      now.read(*entry, values.back());
      tensors.push_back({before, entry->shape, nullptr});
    }
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) tensors[i].data = values[i].data();
  write_safetensors(file, tensors, {{"format", "strider"}, {"updates", "33"}});
  test::json state = test::json::parse(test::read_text(folder / "strider_state.json"));
  for (const char* name : {"optimizer", "momentum"}) state["settings"].erase(name);
  state["files"]["optimizer.safetensors"] = {{"bytes", fs::file_size(file)}, {"crc32", crc32_of_file(file)}};
  state["crc32"] = json_checksum(state);
  write_file_atomically(folder / "strider_state.json", state.dump());

  test::run(settings);
  EXPECT_EQ(test::read_text(settings.output_dir / "final_model/model.safetensors"),
            test::read_text(whole.output_dir / "final_model/model.safetensors"));
}

// A preempted job may be requeued on a node of another kind.
TEST_F(Resume, GoesOnOnAnotherKindOfProcessorAndSaysSo) {
  test::run(settings, 33);
  const fs::path file = settings.output_dir / "checkpoint-33/strider_state.json";
  test::json state = test::json::parse(test::read_text(file));
  state["state"]["vectors"] = "SSE4";
  state["settings"]["initial_weights"] = "crc32 00000000";  // versions before compared the drawn weights' last bits
  state["crc32"] = json_checksum(state);
  write_file_atomically(file, state.dump());
  test::Recorder recorder;
  test::run(settings, recorder);
  EXPECT_EQ(recorder.steps.front().step, 34);
  EXPECT_TRUE(std::ranges::any_of(recorder.notices, [](const std::string& notice) {
    return notice.find("written on a processor with SSE4") != std::string::npos;
  }));
}

TEST_F(Resume, AnyOptimizersStateGoesOn) {
  for (const std::string_view name : update_rule_names()) {
    TrainingSettings whole = settings_in(scratch / "whole" / name);
    TrainingSettings stopped = settings_in(scratch / "stopped" / name);
    whole.optimizer = stopped.optimizer = name;
    test::run(whole);
    test::run(stopped, 33);
    test::run(stopped);
    EXPECT_EQ(test::read_text(stopped.output_dir / "final_model/model.safetensors"),
              test::read_text(whole.output_dir / "final_model/model.safetensors"))
        << name;
    whole.optimizer = name == "adamw" ? "sgd" : "adamw";
    EXPECT_NE(test::refusal(whole).find("optimizer was"), std::string::npos) << test::refusal(whole);
  }
}

// A request to stop that came longer ago than a run has patience for.
void ask_long_ago(TrainingSignals& signals) {
  signals.stop_at = steady_nanoseconds() - kPatienceNanoseconds - 1;
  signals.stop = SIGTERM;
}

TEST_F(Resume, AnEvaluationThatWasGivenUpIsMadeFirst) {
  TrainingSettings whole = settings_in(scratch / "whole");
  whole.save_steps = settings.save_steps = 20;
  whole.logging_steps = settings.logging_steps = 3;
  test::run(whole);
  for (const std::int64_t step : {10, 20, 60}) {
    struct Impatient : test::Recorder {
      std::int64_t at = 0;
      void on_step(const StepDone& facts) override {
        if (facts.step == at) ask_long_ago(signals);
      }
    } recorder;
    recorder.at = step;
    const TrainingOutcome outcome = test::run(settings, recorder);
    EXPECT_EQ(outcome.stopped_by, SIGTERM);
    EXPECT_EQ(outcome.steps, step);
    const json log = json::parse(test::read_text(settings.output_dir / checkpoint_name(step) / "trainer_state.json"));
    EXPECT_EQ(log["log_history"].back().contains("eval_loss"), false) << step;
  }
  test::run(settings);
  EXPECT_EQ(test::without_times(test::log_of(settings.output_dir)),
            test::without_times(test::log_of(whole.output_dir)));
  EXPECT_EQ(test::checkpoints_of(settings.output_dir), test::checkpoints_of(whole.output_dir));
  EXPECT_EQ(test::read_text(settings.output_dir / "final_model/model.safetensors"),
            test::read_text(whole.output_dir / "final_model/model.safetensors"));
}

// At any moment, in the middle of a step too.
TEST_F(Resume, AStepThatWasGivenUpIsMadeAgain) {
  TrainingSettings whole = settings_in(scratch / "whole");
  test::run(whole);
  for (int sitting = 0; sitting < 12; ++sitting) {
    test::Recorder recorder;
    const std::jthread impatient([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(1 + 3 * sitting));  // no order of events depends on it
      ask_long_ago(recorder.signals);
    });
    const TrainingOutcome outcome = test::run(settings, recorder);
    if (outcome.steps > 0 && outcome.stopped_by != 0) {
      EXPECT_TRUE(fs::exists(settings.output_dir / checkpoint_name(outcome.steps)));
    }
  }
  test::run(settings);
  EXPECT_EQ(test::without_times(test::log_of(settings.output_dir)),
            test::without_times(test::log_of(whole.output_dir)));
  EXPECT_EQ(test::read_text(settings.output_dir / "final_model/model.safetensors"),
            test::read_text(whole.output_dir / "final_model/model.safetensors"));
}

TEST_F(Resume, ACheckpointOnRequestChangesNothing) {
  TrainingSettings whole = settings_in(scratch / "whole");
  test::run(whole);
  test::Recorder recorder;
  recorder.checkpoint_after = 33;
  test::run(settings, recorder);
  EXPECT_NE(std::find(recorder.checkpoints.begin(), recorder.checkpoints.end(), "checkpoint-33"),
            recorder.checkpoints.end());
  EXPECT_EQ(test::checkpoints_of(settings.output_dir), test::checkpoints_of(whole.output_dir));
  EXPECT_EQ(test::read_text(settings.output_dir / "final_model/model.safetensors"),
            test::read_text(whole.output_dir / "final_model/model.safetensors"));
}

TEST(Rotation, KeepsTheNewestAndTheBest) {
  using Steps = std::vector<std::int64_t>;
  const RotationRule two{2, 10, 45};
  EXPECT_EQ(checkpoints_to_remove({10, 20}, 20, 10, two), Steps{});
  EXPECT_EQ(checkpoints_to_remove({10, 20, 30}, 30, 30, two), Steps{10});
  EXPECT_EQ(checkpoints_to_remove({10, 20, 30}, 30, 10, two), Steps{20});
  EXPECT_EQ(checkpoints_to_remove({10, 40, 45}, 45, 10, two), Steps{40});  // the last step is asked for by the settings
  EXPECT_EQ(checkpoints_to_remove({10, 20, 30}, 30, 0, {0, 10, 45}), Steps{});
  EXPECT_EQ(checkpoints_to_remove({10, 20, 30}, 30, 10, {1, 10, 45}), Steps{20});
}

TEST(Rotation, WhatASignalAskedForGoesFirst) {
  using Steps = std::vector<std::int64_t>;
  const RotationRule two{2, 10, 45};
  EXPECT_EQ(checkpoints_to_remove({10, 20, 23}, 23, 10, two), Steps{});
  EXPECT_EQ(checkpoints_to_remove({10, 20, 23, 27}, 27, 10, two), Steps{23});
  EXPECT_EQ(checkpoints_to_remove({10, 20, 27, 30}, 30, 10, two), (Steps{27, 20}));
}

TEST(Rotation, DamagedOnesThatWerePassedOverStay) {
  using Steps = std::vector<std::int64_t>;
  EXPECT_EQ(checkpoints_to_remove({10, 20, 30, 40}, 20, 10, {2, 10, 45}), Steps{});
}

TEST(Checksum, IsCrc32) {
  const std::string text = "123456789";  // the check value of the CRC catalogue
  EXPECT_EQ(crc32_of(std::as_bytes(std::span(text))), 0xCBF43926U);
  const std::uint32_t start = crc32_of(std::as_bytes(std::span(text).first(4)));
  EXPECT_EQ(crc32_of(std::as_bytes(std::span(text).subspan(4)), start), 0xCBF43926U);
}

}  // namespace
}  // namespace strider
