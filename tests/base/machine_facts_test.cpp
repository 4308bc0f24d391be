// Facts of the machine from made-up files: what is there is read, what is not is named.
#include "base/machine_facts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "golden.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

bool is_unknown(const MachineFacts& facts, const std::string& name) {
  return std::any_of(facts.unknown.begin(), facts.unknown.end(), [&](const auto& fact) { return fact.fact == name; });
}

TEST(MachineFacts, AreReadFromTheSystemsFiles) {
  const test::ScratchFolder system;
  system.write("proc/meminfo", "MemTotal:       16384 kB\nMemFree:         1000 kB\nMemAvailable:    8192 kB\n");
  system.write("proc/loadavg", "1.25 0.80 0.50 2/345 6789\n");
  system.write("proc/self/cgroup", "0::/\n");
  system.write("proc/self/mountinfo", "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  system.write("sys/fs/cgroup/cpu.max", "150000 100000\n");
  system.write("sys/fs/cgroup/memory.max", "4096000\n");
  const MachineFacts facts = read_machine_facts(system.path(), system.path());
  EXPECT_EQ(facts.memory_total, 16384ULL * 1024);
  EXPECT_EQ(facts.memory_available, 8192ULL * 1024);
  EXPECT_EQ(facts.load, 1.25);
  EXPECT_EQ(facts.processor_quota, 1.5);
  EXPECT_EQ(facts.memory_cgroup, 4096000U);
  EXPECT_GT(facts.disk_free.value_or(0), 0U);
  EXPECT_GE(facts.processors_allowed.value_or(0), 1);
  EXPECT_TRUE(facts.unknown.empty());
}

TEST(MachineFacts, ThatCannotBeReadAreNamed) {
  const test::ScratchFolder system;
  const MachineFacts facts = read_machine_facts(system / "no such folder", system.path());
  EXPECT_FALSE(facts.memory_total);
  EXPECT_FALSE(facts.load);
  EXPECT_FALSE(facts.disk_free);
  for (const char* name : {"memory of the machine", "memory available", "load", "limits of cgroups", "free disk"}) {
    EXPECT_TRUE(is_unknown(facts, name)) << name;
  }
}

TEST(MachineFacts, NoLimitIsNoFactThatIsMissing) {
  const test::ScratchFolder system;
  system.write("proc/self/cgroup", "0::/\n");
  const MachineFacts facts = read_machine_facts(system.path(), system.path());
  EXPECT_FALSE(facts.processor_quota);
  EXPECT_FALSE(facts.memory_cgroup);
  EXPECT_FALSE(is_unknown(facts, "limits of cgroups"));
}

}  // namespace
}  // namespace strider
