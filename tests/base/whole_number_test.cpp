#include "base/whole_number.h"

#include <gtest/gtest.h>

namespace strider {
namespace {

TEST(WholeNumber, DigitsAndWhatPandasMakesOfThem) {
  EXPECT_EQ(parse_whole_number("0"), 0);
  EXPECT_EQ(parse_whole_number("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(parse_whole_number("-3"), -3);
  EXPECT_EQ(parse_whole_number("7.0"), 7);
  EXPECT_EQ(parse_whole_number("7."), 7);
  EXPECT_EQ(parse_whole_number("-0.0"), 0);
  EXPECT_EQ(parse_whole_number("1e+05"), 100000);
  EXPECT_EQ(parse_whole_number("1.5e1"), 15);
}

TEST(WholeNumber, NothingElse) {
  for (const char* text : {"", " ", "x", "7x", "7 ", " 7", "7.5", "1e-3", "nan", "inf", "-inf", "1e400", "1e300",
                           "True", "0x10", "9007199254740992.0", "9223372036854775808", "7.0.0", "."}) {
    EXPECT_EQ(parse_whole_number(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace strider
