// Invented systems, each with the files that a process sees of its control groups.
#include "base/cgroup.h"

#include <gtest/gtest.h>

#include "golden.h"

namespace strider {
namespace {

constexpr const char* kMountOfVersion2 = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";

class Cgroup : public testing::Test {
 protected:
  void is_in(const std::string& lines) const { system.write("proc/self/cgroup", lines); }
  void mounts(const std::string& lines) const {
    system.write("proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n" + lines);
  }
  void group(const std::string& file, const std::string& text) const { system.write("sys/fs/cgroup/" + file, text); }
  CgroupLimits limits() const { return read_cgroup_limits(system.path()); }

  const test::ScratchFolder system;
};

TEST_F(Cgroup, ASystemWithoutAnySetsNoLimit) {
  EXPECT_FALSE(limits().memory_bytes);
  EXPECT_FALSE(limits().processors);
}

TEST_F(Cgroup, Version2TheTightestGroupAboveAProcessCounts) {
  is_in("0::/user.slice/job.scope\n");
  mounts(kMountOfVersion2);
  group("user.slice/cpu.max", "150000 100000\n");
  group("user.slice/job.scope/cpu.max", "max 100000\n");
  group("user.slice/memory.max", "max\n");
  group("user.slice/job.scope/memory.max", "5000000000\n");
  group("other.slice/cpu.max", "1000 100000\n");
  group("other.slice/memory.max", "1000\n");
  EXPECT_EQ(limits().processors, 1.5);
  EXPECT_EQ(limits().memory_bytes, 5'000'000'000ULL);
  group("user.slice/job.scope/cpu.max", "25000 50000\n");
  EXPECT_EQ(limits().processors, 0.5);
  group("cpu.max", "20000 100000\n");
  group("memory.max", "4000\n");
  EXPECT_EQ(limits().processors, 0.2);
  EXPECT_EQ(limits().memory_bytes, 4000ULL);
}

TEST_F(Cgroup, Version2InAContainerItsOwnGroupIsTheRoot) {
  is_in("0::/\n");
  mounts(kMountOfVersion2);
  group("cpu.max", "200000 100000\n");
  EXPECT_EQ(limits().processors, 2.0);
  is_in("0::/../elsewhere\n");
  group("elsewhere/cpu.max", "1000 100000\n");  // of that name, but not the one that is meant
  EXPECT_EQ(limits().processors, 2.0);
}

TEST_F(Cgroup, Version1ReadsQuotaAndPeriodOfEveryGroupAbove) {
  is_in("4:cpu,cpuacct:/slurm/job_7/step_0\n3:memory:/slurm/job_7\n2:cpuset:/\n0::/\n");
  mounts(
      "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
      "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  group("cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  group("cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  group("cpu,cpuacct/slurm/job_7/cpu.cfs_quota_us", "300000\n");
  group("cpu,cpuacct/slurm/job_7/cpu.cfs_period_us", "200000\n");
  group("cpu,cpuacct/slurm/job_7/step_0/cpu.cfs_quota_us", "-1\n");
  group("memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(limits().processors, 1.5);
  EXPECT_FALSE(limits().memory_bytes);
  group("memory/slurm/job_7/memory.limit_in_bytes", "40000000\n");
  EXPECT_EQ(limits().memory_bytes, 40'000'000ULL);
}

// Docker's mount has the container's group as its root, and groups below it may be nested.
TEST_F(Cgroup, Version1AMountOfTheOwnGroup) {
  is_in("1:cpu:/docker/4711/inner\n");
  mounts("32 31 0:29 /docker/4711 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n");
  group("cpu/cpu.cfs_quota_us", "400000\n");
  group("cpu/inner/cpu.cfs_quota_us", "50000\n");
  EXPECT_EQ(limits().processors, 0.5);
}

TEST_F(Cgroup, BothVersionsAtOnceAndAPathWithASpace) {
  is_in("1:cpu:/a b\n0::/unified\n");
  mounts(
      "32 31 0:29 / /sys/fs/cgroup/my\\040cpu rw - cgroup cgroup rw,cpu\n"
      "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  group("my cpu/a b/cpu.cfs_quota_us", "100000\n");
  group("unified/unified/memory.max", "7000\n");
  EXPECT_EQ(limits().processors, 1.0);
  EXPECT_EQ(limits().memory_bytes, 7000ULL);
}

TEST_F(Cgroup, WithoutAListOfMountsTheUsualPlacesAreRead) {
  is_in("2:memory:/m\n1:cpu:/c\n0::/u\n");
  group("cpu/c/cpu.cfs_quota_us", "100000\n");
  group("memory/m/memory.limit_in_bytes", "1000\n");
  group("u/memory.max", "900\n");
  EXPECT_EQ(limits().processors, 1.0);
  EXPECT_EQ(limits().memory_bytes, 900ULL);
}

TEST_F(Cgroup, WhatIsNoLimitIsPassedOver) {
  is_in("0::/a\nnonsense\n::\n");
  mounts(kMountOfVersion2);
  for (const char* text : {"", "max", "-5 100000", "0 100000", "100 0", "words and words"}) {
    group("a/cpu.max", text);
    EXPECT_FALSE(limits().processors) << text;
  }
}

}  // namespace
}  // namespace strider
