#include "report/figures.h"

#include <gtest/gtest.h>

namespace strider {
namespace {

TEST(Figures, Thousands) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1000), "1,000");
  EXPECT_EQ(with_commas(-123456), "-123,456");
  EXPECT_EQ(with_commas(2099328), "2,099,328");
}

TEST(Figures, CountsNeverShowFourDigitsBeforeTheirUnit) {
  EXPECT_EQ(short_count(7), "7");
  EXPECT_EQ(short_count(999.4), "999");
  EXPECT_EQ(short_count(999.6), "1.0k");
  EXPECT_EQ(short_count(12345), "12.3k");
  EXPECT_EQ(short_count(99960), "100k");
  EXPECT_EQ(short_count(999600), "1.00M");
  EXPECT_EQ(short_count(2.5e9), "2.50G");
}

TEST(Figures, Bytes) {
  EXPECT_EQ(short_bytes(12), "12 bytes");
  EXPECT_EQ(short_bytes(51200), "51.2 kB");
  EXPECT_EQ(short_bytes(51'200'000), "51.2 MB");
  EXPECT_EQ(short_bytes(27'140'000'000), "27.1 GB");
}

TEST(Figures, DurationsRoundBeforeTheyAreSplit) {
  EXPECT_EQ(short_duration(0.2), "0 s");
  EXPECT_EQ(short_duration(59.4), "59 s");
  EXPECT_EQ(short_duration(59.6), "1 min 00 s");
  EXPECT_EQ(short_duration(3599.7), "1 h 00 min");
  EXPECT_EQ(short_duration(7500), "2 h 05 min");
  EXPECT_EQ(short_duration(273600), "3 d 04 h");
  EXPECT_EQ(short_duration(-5), "0 s");
}

TEST(Figures, Speed) {
  EXPECT_EQ(short_flops(236.4e9), "236 GFLOP/s");
  EXPECT_EQ(short_flops(1.25e12), "1.2 TFLOP/s");
}

}  // namespace
}  // namespace strider
