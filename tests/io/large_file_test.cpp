#include "io/large_file.h"

#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "golden.h"
#include "writing.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using test::entries_in;
using test::FileSizeLimit;
using test::message_of;
using test::ScratchFolder;

constexpr std::size_t kBuffer = LargeFile::kBufferBytes;

std::string noise(std::size_t count) {
  std::mt19937 random(5);
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

class LargeFileOfPieces : public testing::TestWithParam<std::size_t> {};

INSTANTIATE_TEST_SUITE_P(LargeFile, LargeFileOfPieces,
                         testing::Values(100'003, kBuffer / 4, kBuffer, kBuffer + 1, 2 * kBuffer + 17, 5 * kBuffer));

TEST_P(LargeFileOfPieces, HoldsWhatWasAppended) {
  const ScratchFolder scratch;
  const std::string bytes = noise(3 * kBuffer + 12'345);
  LargeFile file(scratch / "a");
  for (std::size_t at = 0; at < bytes.size(); at += GetParam()) {
    file.append(std::string_view(bytes).substr(at, GetParam()));
    EXPECT_EQ(file.size(), std::min(at + GetParam(), bytes.size()));
  }
  EXPECT_FALSE(fs::exists(scratch / "a"));
  file.commit();
  EXPECT_TRUE(test::read_text(scratch / "a") == bytes);
  EXPECT_EQ(entries_in(scratch.path()), 1);
}

TEST(LargeFile, MayBeEmptyOrExactlyItsBuffer) {
  const ScratchFolder scratch;
  for (const std::size_t count : {std::size_t{0}, kBuffer}) {
    const std::string bytes = noise(count);
    LargeFile file(scratch / "a");
    file.append(bytes);
    file.commit();
    EXPECT_TRUE(test::read_text(scratch / "a") == bytes) << count;
  }
}

// On the disk, in the buffer, across the border of both, and between more appends.
TEST(LargeFile, CorrectsBytesWhereverTheyAre) {
  const ScratchFolder scratch;
  std::string bytes = noise(2 * kBuffer + 500);
  LargeFile file(scratch / "a");
  const auto correct = [&](std::size_t at, const std::string& with) {
    file.overwrite(at, with);
    bytes.replace(at, with.size(), with);
  };
  file.append(bytes);
  for (const std::size_t at :
       {std::size_t{0}, std::size_t{4095}, kBuffer - 3, 2 * kBuffer - 4, 2 * kBuffer, bytes.size() - 7}) {
    correct(at, "HEADER!");
  }
  correct(kBuffer + 9, std::string(kBuffer + 100, 'x'));
  const std::string more = noise(2 * kBuffer);
  file.append(more);
  bytes += more;
  correct(2 * kBuffer + 490, "once more");
  file.commit();
  EXPECT_TRUE(test::read_text(scratch / "a") == bytes);
}

TEST(LargeFile, RefusesToCorrectWhatIsNotWritten) {
  const ScratchFolder scratch;
  LargeFile file(scratch / "a");
  file.append("0123456789");
  EXPECT_NE(message_of([&] { file.overwrite(8, "abc"); }).find((scratch / "a").string()), std::string::npos);
  EXPECT_NE(message_of([&] { file.overwrite(11, ""); }), "nothing was thrown");
  file.overwrite(7, "abc");
  file.commit();
  EXPECT_EQ(test::read_text(scratch / "a"), "0123456abc");
}

TEST(LargeFile, LeavesWhatWasThereUnlessItIsCommitted) {
  const ScratchFolder scratch;
  scratch.write("a", "old");
  {
    LargeFile file(scratch / "a");
    file.append(noise(kBuffer + 1));
    EXPECT_EQ(entries_in(scratch.path()), 2);
  }
  EXPECT_EQ(test::read_text(scratch / "a"), "old");
  EXPECT_EQ(entries_in(scratch.path()), 1);
}

// The limits fall between two writes, inside one at a page and off it, and inside what commit writes.
TEST(LargeFile, AFullDiskIsAnErrorThatLeavesNothing) {
  for (const std::size_t room :
       {std::size_t{0}, std::size_t{1000}, kBuffer, kBuffer + 8192, kBuffer + 5000, 2 * kBuffer + 10}) {
    const ScratchFolder scratch;
    const std::string bytes = noise(2 * kBuffer + 100);
    std::string message;
    {
      const FileSizeLimit limit(room);
      message = message_of([&] {
        LargeFile file(scratch / "a");
        file.append(bytes);
        file.commit();
      });
    }
    EXPECT_NE(message.find((scratch / "a").string()), std::string::npos) << message;
    EXPECT_NE(message.find("File too large"), std::string::npos) << message;
    EXPECT_EQ(entries_in(scratch.path()), 0) << room;
  }
}

TEST(LargeFile, AFolderInItsPlaceIsAnErrorThatLeavesNothing) {
  const ScratchFolder scratch;
  scratch.write("a/b", "mine");
  const std::string message = message_of([&] {
    LargeFile file(scratch / "a");
    file.append("bytes");
    file.commit();
  });
  EXPECT_NE(message.find("cannot put the file in its place"), std::string::npos) << message;
  EXPECT_EQ(test::read_text(scratch / "a/b"), "mine");
  EXPECT_EQ(entries_in(scratch.path()), 1);
}

}  // namespace
}  // namespace strider
