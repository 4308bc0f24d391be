#include "base/machine.h"

#include <gtest/gtest.h>

#include <limits>

#include "golden.h"

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

TEST(Machine, TheTightestCgroupAboveAProcessLimitsIt) {
  const test::ScratchFolder root;
  root.write("memory.max", "max\n");
  root.write("a/memory.max", "5000000000\n");
  root.write("a/b/memory.max", "max\n");
  root.write("other/memory.max", "1000\n");
  EXPECT_EQ(cgroup_limit_bytes(root.path(), "/a/b", "memory.max"), 5'000'000'000ULL);
  EXPECT_EQ(cgroup_limit_bytes(root.path(), "/a", "memory.max"), 5'000'000'000ULL);
  EXPECT_EQ(cgroup_limit_bytes(root.path(), "/", "memory.max"), std::numeric_limits<std::uint64_t>::max());
  root.write("memory.max", "4000\n");
  EXPECT_EQ(cgroup_limit_bytes(root.path(), "/a/b", "memory.max"), 4000ULL);
  EXPECT_EQ(cgroup_limit_bytes(root.path(), "/a/b", "memory.limit_in_bytes"),
            std::numeric_limits<std::uint64_t>::max());
}

// Slower than a hundred million a second, or faster than any core there is, is a broken measurement.
TEST(Machine, PeakIsThatOfAProcessor) {
  const double one = measure_peak_flops(1);
  EXPECT_GT(one, 1e8);
  EXPECT_LT(one, 2e12);
}

}  // namespace
}  // namespace strider
