// How settings are read from text, checked, and said in words.
#include "base/setting.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace strider {
namespace {

enum class Colour { kRed, kBlue };

struct Settings {
  std::int64_t steps = 10;
  std::uint64_t seed = 42;
  double rate = 0.5;
  double epochs = 1;
  int threads = 1;
  bool is_steps_set = false;
  Colour colour = Colour::kRed;
  bool flag = false;
  std::optional<std::filesystem::path> folder;
};

using namespace settings;

Setting<Settings> setting(SettingField<Settings> field, SettingRange range = any_value()) {
  return {"name", "NAME", std::move(field), range, "help"};
}

class Reading : public testing::Test {
 protected:
  void expect_refused(const Setting<Settings>& row, const std::string& text, const std::string& message) {
    try {
      row.read(values, text);
      ADD_FAILURE() << text << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.message(), "--name (NAME) is " + message);
    }
  }
  Settings values;
};

TEST_F(Reading, WholeNumbers) {
  const auto row = setting(number(&Settings::steps).marking(&Settings::is_steps_set), between(1, 1e9));
  for (const char* text : {"", "many", "1.5", "1e3", "7 ", "99999999999999999999"}) {
    expect_refused(row, text, '"' + std::string(text) + "\", it must be a whole number from 1 to 1000000000");
  }
  expect_refused(row, "0", "0, it must be a whole number from 1 to 1000000000");
  expect_refused(row, "1000000001", "1000000001, it must be a whole number from 1 to 1000000000");
  EXPECT_EQ(values.steps, 10);
  EXPECT_FALSE(values.is_steps_set);
  row.read(values, "+7");
  EXPECT_EQ(values.steps, 7);
  EXPECT_TRUE(values.is_steps_set);
}

TEST_F(Reading, UnsignedNumbersHaveAllBits) {
  const auto row = setting(number(&Settings::seed));
  row.read(values, "18446744073709551615");
  EXPECT_EQ(values.seed, 18446744073709551615U);
  EXPECT_EQ(row.value(values), SettingValue(std::uint64_t{18446744073709551615U}));
  expect_refused(row, "-1", "\"-1\", it must be a whole number of at least 0");
}

TEST_F(Reading, AnIntTakesNoMoreThanItHolds) {
  expect_refused(setting(number(&Settings::threads), at_least(1)), "4294967297",
                 "4294967297, it must be a whole number from 1 to 2147483647");
  EXPECT_EQ(values.threads, 1);
}

TEST_F(Reading, RealNumbersAreFinite) {
  const auto row = setting(number(&Settings::rate), at_least(0));
  for (const char* text : {"nan", "inf", "-1"})
    expect_refused(row, text, std::string(text) + ", it must be a number of at least 0");
  row.read(values, "5e-4");
  EXPECT_EQ(values.rate, 5e-4);
}

TEST_F(Reading, AWordForANumber) {
  const auto row = setting(number(&Settings::threads).or_word("all", 0), between(1, 4096));
  row.read(values, "all");
  EXPECT_EQ(values.threads, 0);
  EXPECT_EQ(setting_text(row.facts(), row.value(values)), "all");
  row.check(values);
  expect_refused(row, "some", "\"some\", it must be a whole number from 1 to 4096, or all");
  expect_refused(row, "-1", "-1, it must be a whole number from 1 to 4096, or all");
}

TEST_F(Reading, Choices) {
  const auto row = setting(choice(&Settings::colour, {{"red", Colour::kRed}, {"blue", Colour::kBlue}}));
  EXPECT_EQ(setting_text(row.facts(), row.value(values)), "red");
  row.read(values, "blue");
  EXPECT_EQ(values.colour, Colour::kBlue);
  EXPECT_EQ(row.value(values), SettingValue("blue"));
  expect_refused(row, "green", "\"green\", it must be one of red, blue");
}

TEST_F(Reading, SwitchesAndPaths) {
  const auto flag = setting(toggle(&Settings::flag));
  flag.read(values, "true");
  EXPECT_TRUE(values.flag);
  expect_refused(flag, "yes", "\"yes\", it must be true or false");
  const auto folder = setting(path(&Settings::folder));
  folder.read(values, "a folder");
  EXPECT_EQ(values.folder, "a folder");
  folder.read(values, "");
  EXPECT_FALSE(values.folder);
}

TEST_F(Reading, ANumberOfEpochsIsRecordedWholeWhileItIs) {
  const auto row = setting(whole_or_fraction(&Settings::epochs), above(0, 1e9));
  row.read(values, "3");
  EXPECT_EQ(row.value(values), SettingValue(std::int64_t{3}));
  row.read(values, "0.5");
  EXPECT_EQ(row.value(values), SettingValue(0.5));
  expect_refused(row, "0", "0, it must be a number above 0 and at most 1000000000");
}

TEST_F(Reading, MemoryIsSavedDownToTheLeast) {
  const auto by_one = setting(number(&Settings::threads), between(1, 4096)).saves_memory(MemorySaving::kByOne);
  const auto by_half = setting(number(&Settings::steps), between(2, 100)).saves_memory(MemorySaving::kByHalf);
  values.threads = 2;
  EXPECT_TRUE(by_one.reduce(values));
  EXPECT_FALSE(by_one.reduce(values));
  EXPECT_EQ(values.threads, 1);
  values.steps = 5;
  EXPECT_TRUE(by_half.reduce(values));
  EXPECT_EQ(values.steps, 2);
  EXPECT_FALSE(by_half.reduce(values));
  EXPECT_FALSE(setting(number(&Settings::steps)).reduce(values)) << "saves no memory";
}

}  // namespace
}  // namespace strider
