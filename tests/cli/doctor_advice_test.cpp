// What strider doctor advises follows from the facts.
#include "cli/doctor_advice.h"

#include <gtest/gtest.h>

namespace strider::cli {
namespace {

MachineFacts good_machine() {
  MachineFacts facts;
  facts.threads = 8;
  facts.processors_online = facts.processors_allowed = 8;
  facts.load = 0.1;
  facts.memory_limit = 16'000'000'000;
  facts.disk_free = 100'000'000'000;
  return facts;
}

const MeasuredSpeed kEqualSpeeds{.multiply_adds = 2e11, .products_float32 = 1e11, .products_bfloat16 = 0.9e11};

// The only advice that is given, or "none".
std::string advice(const MachineFacts& facts, const MeasuredSpeed& speed = kEqualSpeeds,
                   const std::string& build = "Release") {
  const std::vector<std::string> all = doctor_advice(facts, speed, build);
  if (all.empty()) return "none";
  return all.size() == 1 ? all.front() : "several";
}

TEST(DoctorAdvice, IsNoneWhereNothingIsToBeGained) {
  EXPECT_EQ(advice(good_machine()), "none");
}

TEST(DoctorAdvice, IsThePrecisionWhereItIsFaster) {
  MeasuredSpeed speed = kEqualSpeeds;
  speed.products_bfloat16 = 1.8e11;
  EXPECT_NE(advice(good_machine(), speed).find("1.8 times as fast"), std::string::npos);
  EXPECT_NE(advice(good_machine(), speed).find("PRECISION=auto"), std::string::npos);
}

TEST(DoctorAdvice, IsWhatTheMachineLacks) {
  MachineFacts facts = good_machine();
  facts.processors_allowed = 4;
  EXPECT_NE(advice(facts).find("4 of 8 processors"), std::string::npos);
  facts = good_machine();
  facts.processor_quota = 1.5;
  EXPECT_NE(advice(facts).find("1.5 of 8 processors"), std::string::npos);
  facts = good_machine();
  facts.load = 6.2;
  EXPECT_NE(advice(facts).find("THREADS=2"), std::string::npos);
  facts = good_machine();
  facts.memory_limit = 500'000'000;
  EXPECT_NE(advice(facts).find("BATCH_SIZE"), std::string::npos);
  facts = good_machine();
  facts.disk_free = 1'000'000;
  EXPECT_NE(advice(facts).find("SAVE_TOTAL_LIMIT"), std::string::npos);
  EXPECT_NE(advice(good_machine(), kEqualSpeeds, "Debug").find("make build"), std::string::npos);
}

TEST(DoctorAdvice, IsNotDerivedFromWhatIsNotKnown) {
  MachineFacts facts = good_machine();
  facts.processors_online.reset();
  facts.processors_allowed.reset();
  facts.load.reset();
  facts.disk_free.reset();
  EXPECT_EQ(advice(facts), "none");
}

}  // namespace
}  // namespace strider::cli
