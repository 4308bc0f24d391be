#include "base/machine.h"

#include <gtest/gtest.h>

#include <optional>

namespace strider {
namespace {

TEST(Machine, NamesItsProcessorAndItsVectors) {
  EXPECT_FALSE(processor_name().empty());
  EXPECT_FALSE(vector_instructions().empty());
  EXPECT_EQ(vector_instructions().find("Unknown"), std::string::npos);
}

TEST(Machine, MemoryIsThatOfThisMachine) {
  EXPECT_GT(memory_limit_bytes(), 64ULL << 20);
  EXPECT_LT(memory_limit_bytes(), 1ULL << 50);
}

TEST(Machine, ThreadsAreTheProcessorsThatTheQuotaPaysFor) {
  EXPECT_EQ(threads_within_quota(8, std::nullopt), 8);
  EXPECT_EQ(threads_within_quota(8, 0.5), 1);
  EXPECT_EQ(threads_within_quota(8, 1.0), 1);
  EXPECT_EQ(threads_within_quota(8, 1.5), 2);
  EXPECT_EQ(threads_within_quota(2, 16.0), 2);
  EXPECT_EQ(threads_within_quota(0, std::nullopt), 1);
  EXPECT_EQ(threads_within_quota(2048, 1e9), 2048);  // more than a fixed cpu_set_t has bits for
}

// Slower than a hundred million a second, or faster than any core there is, is a broken measurement.
TEST(Machine, PeakIsThatOfAProcessor) {
  const double one = measure_peak_flops(1);
  EXPECT_GT(one, 1e8);
  EXPECT_LT(one, 2e12);
}

}  // namespace
}  // namespace strider
