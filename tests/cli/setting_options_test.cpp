// A row in a table of settings is all that an option, its help, its check and its record need.
#include "cli/setting_options.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "train/fingerprint.h"
#include "train/settings_table.h"

namespace strider {
namespace {

template <typename Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.message();
  }
  return "accepted";
}

// The table of training with one more row, whose field is `smoothing`.
class OneMoreRow : public testing::Test {
 protected:
  OneMoreRow() {
    const SettingField<TrainingSettings> field{
        .kind = SettingKind::kReal,
        .get = [this](const TrainingSettings&) { return SettingValue(smoothing); },
        .set = [this](TrainingSettings&, const SettingValue& value) { smoothing = std::get<double>(value); }};
    table.push_back(Setting("label_smoothing", "LABEL_SMOOTHING", field, settings::from_to_below(0, 1),
                            OnResume::kMustMatch, "Share of other tokens")
                        .before(0.0));
    cli::add_settings(command, table, values);
  }

  void parse(const std::string& arguments) { command.parse("--dataset_dir data --config config.json " + arguments); }

  double smoothing = 0.25;
  TrainingSettings values;
  TrainingSettingsTable table = training_settings_table();
  CLI::App command;
};

TEST_F(OneMoreRow, IsAnOptionInBothSpellings) {
  parse("--label_smoothing 0.5");
  EXPECT_EQ(smoothing, 0.5);
  parse("--label-smoothing=0.75 --batch_size 7 --overwrite --continue false --init_from model");
  EXPECT_EQ(smoothing, 0.75);
  EXPECT_EQ(values.batch_size, 7);
  EXPECT_TRUE(values.overwrite);
  EXPECT_FALSE(values.continue_run);
  EXPECT_EQ(values.init_from, "model");
}

TEST_F(OneMoreRow, IsInTheHelp) {
  const std::string help = command.help();
  for (const char* words : {"--label_smoothing,--label-smoothing LABEL_SMOOTHING [0.25]", "Share of other tokens",
                            "--dataset_dir,--dataset-dir DATASET_DIR REQUIRED", "--overwrite OVERWRITE [false]",
                            "--init_from,--init-from INIT_FROM\n"}) {
    EXPECT_NE(help.find(words), std::string::npos) << words << "\n" << help;
  }
}

TEST_F(OneMoreRow, IsCheckedAsTextAndAsAValue) {
  const std::string wanted = ", it must be a number from 0 to below 1";
  EXPECT_EQ(error_of([&] { parse("--label_smoothing 1.5"); }), "--label_smoothing (LABEL_SMOOTHING) is 1.5" + wanted);
  EXPECT_EQ(error_of([&] { parse("--label_smoothing much"); }),
            "--label_smoothing (LABEL_SMOOTHING) is \"much\"" + wanted);
  EXPECT_EQ(smoothing, 0.25);
  EXPECT_EQ(error_of([&] { check_ranges(values, table); }), "accepted");
  smoothing = 1.0;
  EXPECT_EQ(error_of([&] { check_ranges(values, table); }), "--label_smoothing (LABEL_SMOOTHING) is 1" + wanted);
}

TEST_F(OneMoreRow, IsRecordedAndCompared) {
  const nlohmann::json earlier = recorded_settings(values, table);
  EXPECT_EQ(earlier["label_smoothing"], 0.25);
  EXPECT_TRUE(compare_fingerprints(earlier, earlier, table).text.empty());
  smoothing = 0.5;
  values.epochs = 2;
  FingerprintDifferences found = compare_fingerprints(earlier, recorded_settings(values, table), table);
  EXPECT_EQ(found.text, "epochs was 1, now 2; label_smoothing was 0.25, now 0.5");
  EXPECT_FALSE(found.can_be_continued);
}

TEST_F(OneMoreRow, CountsForEarlierRunsAsTheRowSays) {
  const nlohmann::json earlier = recorded_settings(values);  // made before the row was added
  smoothing = 0.0;
  EXPECT_TRUE(compare_fingerprints(earlier, recorded_settings(values, table), table).text.empty());
  smoothing = 0.5;
  EXPECT_EQ(compare_fingerprints(earlier, recorded_settings(values, table), table).text,
            "label_smoothing was 0.0, now 0.5");
}

}  // namespace
}  // namespace strider
