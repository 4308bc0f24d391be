#include "base/background_job.h"

#include <gtest/gtest.h>

#include <semaphore>
#include <stdexcept>

namespace strider {
namespace {

TEST(BackgroundJob, RunsOneJobAfterTheOther) {
  BackgroundJob jobs;
  EXPECT_FALSE(jobs.wait());
  EXPECT_FALSE(jobs.finished());
  int sum = 0;
  for (int i = 1; i <= 100; ++i) {
    jobs.start([&sum, i] { sum += i; });
    EXPECT_TRUE(jobs.wait());
    EXPECT_FALSE(jobs.wait());
  }
  EXPECT_EQ(sum, 5050);
}

TEST(BackgroundJob, DoesNotWaitToSayWhetherAJobHasEnded) {
  std::binary_semaphore go(0);
  BackgroundJob jobs;
  jobs.start([&] { go.acquire(); });
  EXPECT_TRUE(jobs.is_pending());
  EXPECT_FALSE(jobs.finished());
  go.release();
  while (!jobs.finished()) std::this_thread::yield();
  EXPECT_FALSE(jobs.is_pending());
  EXPECT_FALSE(jobs.finished());
}

TEST(BackgroundJob, ThrowsAnErrorOnceToWhoeverLooksNext) {
  BackgroundJob jobs;
  jobs.start([] { throw std::runtime_error("broken"); });
  EXPECT_THROW(jobs.wait(), std::runtime_error);
  EXPECT_FALSE(jobs.wait());
  jobs.start([] { throw std::runtime_error("broken"); });
  EXPECT_THROW(while (!jobs.finished()) std::this_thread::yield(), std::runtime_error);
  jobs.start([] { throw std::runtime_error("given up"); });
  jobs.abandon();
  EXPECT_FALSE(jobs.wait());
}

TEST(BackgroundJob, EndsWhatWasStarted) {
  bool done = false;
  {
    BackgroundJob jobs;
    jobs.start([&] { done = true; });
  }
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace strider
