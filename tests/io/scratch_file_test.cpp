#include "io/scratch_file.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "base/error.h"
#include "golden.h"

namespace strider {
namespace {

TEST(ScratchFile, IsWrittenAndReadAtAnyPlaceAndHasNoName) {
  const test::ScratchFolder scratch;
  ScratchFile file(scratch / "scratch", 1000 * sizeof(int));
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
  std::vector<int> numbers(100);
  for (const int part : {7, 2, 9, 0}) {
    std::iota(numbers.begin(), numbers.end(), part * 100);
    file.write(static_cast<std::uint64_t>(part) * 100 * sizeof(int), std::as_bytes(std::span(numbers)));
  }
  std::vector<int> all(1000, -1);
  file.read(0, std::as_writable_bytes(std::span(all)));
  for (const int part : {0, 1, 2, 7, 8, 9}) {
    const bool is_written = part != 1 && part != 8;
    for (int i = part * 100; i < part * 100 + 100; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)], is_written ? i : 0);
  }
}

TEST(ScratchFile, RefusesATakenNameAndReadingPastItsEnd) {
  const test::ScratchFolder scratch;
  scratch.write("taken", "mine");
  EXPECT_THROW(ScratchFile(scratch / "taken", 10), Error);
  EXPECT_EQ(test::read_text(scratch / "taken"), "mine");
  const ScratchFile file(scratch / "scratch", 10);
  std::vector<std::byte> bytes(11);
  EXPECT_THROW(file.read(0, bytes), Error);
}

}  // namespace
}  // namespace strider
