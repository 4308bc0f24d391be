// The communicators that need no launcher; tests/reliability/ranks_test.py has those over MPI.
#include "communicator/communicator.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>

#include "communicator/thread_ranks.h"

namespace strider {
namespace {

TEST(Communicator, AloneItIsRankZeroOfOne) {
  const std::unique_ptr<Communicator> own = make_communicator(1.0);
  EXPECT_EQ(own->rank(), 0);
  EXPECT_EQ(own->size(), 1);
  EXPECT_TRUE(own->shares_machine());
  std::array<std::int64_t, 1> counts = {3};
  std::array<float, 3> values = {1, 2, 3};
  all_gather(*own, counts, std::span<float>(values));
  EXPECT_EQ(values[2], 3);
}

TEST(Communicator, AllGetWhatEachHas) {
  const auto gathered = [](Communicator& ranks) {
    const std::array<std::int64_t, 3> counts = {2, 0, 1};
    std::array<int, 3> all = {-1, -1, -1};
    if (ranks.rank() == 0) all = {10, 11, -1};
    if (ranks.rank() == 2) all[2] = 30;
    all_gather(ranks, counts, std::span<int>(all));
    int from_one = ranks.rank() == 1 ? 7 : 0;
    broadcast_value(ranks, from_one, 1);
    return all == std::array<int, 3>{10, 11, 30} && from_one == 7;
  };
  test::with_ranks(
      3, [&](Communicator& ranks) { EXPECT_TRUE(gathered(ranks)); },
      [&](Communicator& ranks) { EXPECT_TRUE(gathered(ranks)); });
}

// Each rank to the next one, in two channels that are waited for in another order than they were sent in, with an
// exchange in between.
TEST(Communicator, MessagesOfAChannelArriveInTheirOrderWhileOthersAreUnderWay) {
  const auto work = [](Communicator& ranks) {
    const int next = (ranks.rank() + 1) % ranks.size();
    const int before = (ranks.rank() + ranks.size() - 1) % ranks.size();
    std::array<int, 2> first = {0, 0};
    int second = 0, other_channel = 0;
    ranks.start_receive(std::as_writable_bytes(std::span(first)), before, 0);
    ranks.start_receive({}, before, 0);
    ranks.start_receive(std::as_writable_bytes(std::span(&second, 1)), before, 0);
    ranks.start_receive(std::as_writable_bytes(std::span(&other_channel, 1)), before, 1);
    const std::array<int, 4> out = {10 + ranks.rank(), 20 + ranks.rank(), 30 + ranks.rank(), 40 + ranks.rank()};
    ranks.start_send(std::as_bytes(std::span(out).first(2)), next, 0);
    ranks.poll();
    ranks.start_send({}, next, 0);
    ranks.start_send(std::as_bytes(std::span(out).subspan(2, 1)), next, 0);
    std::array<std::int64_t, 3> counts = {1, 1, 1};
    std::array<int, 3> all = {ranks.rank(), ranks.rank(), ranks.rank()};
    all_gather(ranks, counts, std::span<int>(all));
    ranks.start_send(std::as_bytes(std::span(out).last(1)), next, 1);
    ranks.wait(1);
    EXPECT_EQ(other_channel, 40 + before);
    ranks.wait(0);
    EXPECT_EQ(first, (std::array<int, 2>{10 + before, 20 + before}));
    EXPECT_EQ(second, 30 + before);
    EXPECT_EQ(all, (std::array<int, 3>{0, 1, 2}));
  };
  test::with_ranks(3, work, work);
}

#ifndef STRIDER_WITH_MPI
TEST(Communicator, WithoutMpiSeveralRanksAreRefused) {
  ::setenv("OMPI_COMM_WORLD_SIZE", "2", 1);
  try {
    make_communicator(1.0);
    ADD_FAILURE() << "two ranks were taken for one";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("2 ranks were started"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("make build MPI=1"), std::string::npos) << error.what();
  }
  ::unsetenv("OMPI_COMM_WORLD_SIZE");
}
#endif

}  // namespace
}  // namespace strider
