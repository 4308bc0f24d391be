// Whole runs on the GPU against HF Trainer's; the emulator is too slow for more than their first steps (run_test.cpp).
#include "train/runs.h"

namespace strider {
namespace {

class GpuGoldenRun : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Golden, GpuGoldenRun, testing::Values("run", "run_accumulate"));

TEST_P(GpuGoldenRun, HasTheSameLossesAndEndsWithTheSameWeights) {
  const std::string name = GetParam();
  const test::ScratchFolder scratch;
  TrainingSettings settings = test::golden_settings(name, scratch / "out");
  settings.device = Device::kCuda;
  test::Recorder recorder;
  test::run(settings, recorder);

  const auto losses = test::golden_json(name + "/micro_batch_losses.json").get<std::vector<double>>();
  std::vector<float> ours;
  for (const std::vector<float>& step : recorder.micro_batch_losses) ours.insert(ours.end(), step.begin(), step.end());
  ASSERT_EQ(ours.size(), losses.size());
  for (std::size_t i = 0; i < ours.size(); ++i) ASSERT_NEAR(ours[i], losses[i], 1e-4) << "micro-batch " << i;

  const std::vector<float> weights = test::weights_of(settings.output_dir / "final_model");
  const std::vector<float> expected = test::weights_of(test::golden(name) / "final_model");
  ASSERT_EQ(weights.size(), expected.size());
  for (std::size_t i = 0; i < weights.size(); ++i) ASSERT_NEAR(weights[i], expected[i], 1e-4) << i;
}

}  // namespace
}  // namespace strider
