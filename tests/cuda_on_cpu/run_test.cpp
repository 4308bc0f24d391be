// Training runs with DEVICE=cuda: against HF Trainer's weights, over a stop and a resume, and refused where the GPU
// computes something else.
#include <fmt/format.h>

#include <fstream>

#include "base/error.h"
#include "engine/choose_device.h"
#include "gpu_under_test.h"
#include "io/safetensors.h"
#include "train/runs.h"

namespace strider {
namespace {

class CudaRun : public testing::TestWithParam<const char*> {
 protected:
  CudaRun() { settings.device = Device::kCuda; }
  void TearDown() override { test::set_products_wrong(false); }

  // Of a run that was stopped after so many steps.
  std::vector<float> weights_after(std::int64_t steps) const {
    return test::weights_of(settings.output_dir / checkpoint_name(steps));
  }

  const test::ScratchFolder scratch;
  TrainingSettings settings = test::golden_settings(GetParam(), scratch / "out");
};
INSTANTIATE_TEST_SUITE_P(Golden, CudaRun, testing::Values("run", "run_accumulate"));

TEST_P(CudaRun, WeightsAndLossesOfTheFirstSteps) {
  settings.histogram_steps = 1;  // so that no step is queued before the one before it was looked at
  test::Recorder recorder;
  recorder.stop_after = 1;
  test::run(settings, recorder);
  EXPECT_EQ(recorder.notices.at(0), "DEVICE=cuda: the run is on the GPU, " + cuda_device_name());
  const std::vector<float> first = weights_after(1);
  test::Recorder resumed;
  resumed.stop_after = 2;
  EXPECT_EQ(test::run(settings, resumed).steps, 2);
  const std::vector<float> second = weights_after(2);
  const auto losses =
      test::golden_json(std::string(GetParam()) + "/micro_batch_losses.json").get<std::vector<double>>();
  std::vector<float> ours = recorder.micro_batch_losses.at(0);
  ours.insert(ours.end(), resumed.micro_batch_losses.at(0).begin(), resumed.micro_batch_losses.at(0).end());
  for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_NEAR(ours[i], losses[i], 1e-4) << i;

  const ParameterLayout layout(read_config(settings.config, 0));
  for (const std::int64_t steps : {1, 2}) {
    const std::vector<float>& weights = steps == 1 ? first : second;
    const SafetensorsFile theirs(test::golden(GetParam()) / ("weights_step_" + std::to_string(steps) + ".safetensors"));
    for (const ParameterInfo& tensor : layout.tensors()) {
      std::vector<float> expected(static_cast<std::size_t>(tensor.size));
      theirs.read(*theirs.find(tensor.name), expected);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_NEAR(weights[static_cast<std::size_t>(tensor.offset) + i], expected[i], 1e-5) << tensor.name << steps;
      }
    }
  }

  // The same in one sitting: the same bits.
  settings.output_dir = scratch / "whole";
  test::run(settings, 2);
  EXPECT_EQ(weights_after(2), second);
}

TEST_P(CudaRun, IsRefusedWhereTheGpuComputesSomethingElse) {
  if (!test::set_products_wrong(true)) GTEST_SKIP() << "cuBLASLt cannot be made to multiply wrongly";
  const std::string refusal = test::refusal(settings);
  EXPECT_NE(refusal.find("instead of"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("USE_CPU=true"), std::string::npos) << refusal;
}

TEST_P(CudaRun, TakesTheGpuWhereItCan) {
  test::Recorder recorder;
  recorder.stop_after = 1;
  settings.device = Device::kAuto;
  const std::optional<std::int64_t> before = test::launches();
  test::run(settings, recorder);
  if (before) {
    EXPECT_GT(*test::launches(), *before);
  }
  EXPECT_EQ(recorder.notices.at(0), "DEVICE=auto: the run is on the GPU, " + cuda_device_name());
}

// What the kernels cannot do goes to the CPU with DEVICE=auto and is refused with DEVICE=cuda.
TEST_P(CudaRun, LeavesToTheCpuWhatTheGpuCannotDo) {
  auto config = nlohmann::json::parse(std::ifstream(settings.config));
  config["head_dim"] = 136;
  settings.config = scratch / "config.json";
  std::ofstream(settings.config) << config;
  const std::string refusal = test::refusal(settings);
  EXPECT_NE(refusal.find("a head_dim of up to 128, and the model has 136"), std::string::npos) << refusal;
  settings.device = Device::kAuto;
  test::Recorder recorder;
  recorder.stop_after = 1;
  const std::optional<std::int64_t> before = test::launches();
  test::run(settings, recorder);
  EXPECT_EQ(test::launches(), before);
  EXPECT_EQ(recorder.notices.front().find("DEVICE=auto: the run is on the CPU, since the GPU engine has attention"),
            0U);
}

// With Muon, over a stop between queued steps and a resume: the same bits as in one sitting.
TEST_P(CudaRun, ResumesWithTheSameBitsInBfloat16) {
  settings.optimizer = "muon";
  settings.precision = std::nullopt;
  settings.output_dir = scratch / "parts";
  test::Recorder first;
  first.stop_after = 1;
  test::run(settings, first);
  EXPECT_EQ(first.notices.front(), "PRECISION=auto: bfloat16, which GPUs multiply many times as fast as float32");
  const std::int64_t done = test::run(settings, 3).steps;
  const std::vector<float> parts = weights_after(done);
  settings.output_dir = scratch / "whole";
  EXPECT_EQ(test::run(settings, 3).steps, done);
  EXPECT_EQ(weights_after(done), parts);
}

TEST_P(CudaRun, AveragesTheWeightsOfItsStepsWhileOthersAreQueued) {
  settings.max_steps = 6;
  settings.eval_steps = settings.save_steps = 6;
  settings.average_share = 0.8;  // steps 2 to 6
  settings.average_every = 3;
  EXPECT_EQ(test::run(settings).averaged_steps, 2);
  const std::vector<float> mean = test::weights_of(settings.output_dir / "final_model");
  EXPECT_NE(mean, weights_after(6));
  settings.output_dir = scratch / "not_queued";
  settings.histogram_steps = 1;
  test::run(settings);
  EXPECT_EQ(test::weights_of(settings.output_dir / "final_model"), mean);
}

// On the GPU, or from the host where it does not fit there, over a resume from one to the other: the same bits.
TEST_P(CudaRun, DatasetOnTheGpuHasTheBitsOfWalksFromTheHost) {
  const std::optional<std::uint64_t> bytes = test::set_bytes_for_walks(0);
  if (!bytes) GTEST_SKIP() << "a real GPU has what it has";
  settings.max_steps = settings.eval_steps = settings.save_steps = 3;
  for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16}) {
    settings.precision = precision;
    std::vector<std::vector<float>> weights;
    std::vector<nlohmann::json> logs;
    const std::vector<std::vector<std::uint64_t>> sittings = {{0}, {*bytes}, {0, *bytes}, {*bytes, 0}};
    for (const std::vector<std::uint64_t>& rooms : sittings) {
      settings.output_dir = scratch / fmt::format("{}_{}", name_of(precision), weights.size());
      for (std::size_t sitting = 0; sitting < rooms.size(); ++sitting) {
        test::set_bytes_for_walks(rooms[sitting]);
        test::Recorder recorder;
        recorder.stop_after = sitting + 1 < rooms.size() ? 1 : 0;
        test::run(settings, recorder);
        const std::string line = recorder.notices.at(1);
        EXPECT_EQ(line.find("The GPU holds the dataset, 0."), rooms[sitting] > 0 ? 0U : std::string::npos) << line;
        EXPECT_EQ(line.find("The processors send the GPU each step's walks: the dataset is 0."),
                  rooms[sitting] > 0 ? std::string::npos : 0U)
            << line;
      }
      weights.push_back(weights_after(3));
      logs.push_back(test::without_times(test::log_of(settings.output_dir)));
    }
    for (std::size_t i = 1; i < weights.size(); ++i) {
      EXPECT_EQ(weights[i], weights[0]) << i;
      EXPECT_EQ(logs[i], logs[0]) << i;
    }
  }
  test::set_bytes_for_walks(*bytes);
}

TEST(CudaChoice, TensorFloat32IsForTheGpu) {
  EngineSettings engine;
  engine.precision = Precision::kTf32;
  EXPECT_THROW(choose_device(Device::kCpu, LlamaConfig(), engine), Error);
}

}  // namespace
}  // namespace strider
