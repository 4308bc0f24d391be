// Records of TensorFlow's format: checksums, bytes, and what is left of a file that was cut off or damaged.
#include "io/record_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "golden.h"
#include "io/checksum.h"

namespace strider {
namespace {

std::uint32_t crc32c(const std::string& text) {
  return crc32c_of(std::as_bytes(std::span(text)));
}

// RFC 3720, appendix B.4, and the usual check value of this CRC.
TEST(Crc32c, IsThatOfThePublishedVectors) {
  std::string rising(32, '\0'), falling(32, '\0');
  for (std::size_t i = 0; i < rising.size(); ++i) {
    rising[i] = static_cast<char>(i);
    falling[i] = static_cast<char>(31 - i);
  }
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  EXPECT_EQ(crc32c(rising), 0x46dd794eU);
  EXPECT_EQ(crc32c(falling), 0x113fdb5cU);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
}

TEST(Crc32c, GoesOnOverPieces) {
  const std::string first = "1234", second = "56789";
  EXPECT_EQ(crc32c_of(std::as_bytes(std::span(second)), crc32c(first)), 0xe3069283U);
}

class Records : public testing::Test {
 protected:
  Records() {
    RecordFile written(file);
    for (const std::string& record : records) written.append(record);
    written.close();
    bytes = test::read_text(file);
  }

  std::vector<std::string> read(const std::string& text) const {
    std::ofstream(file, std::ios::binary) << text;
    return read_records(file);
  }

  test::ScratchFolder scratch;
  const std::filesystem::path file = scratch / "new/folder/records";
  const std::vector<std::string> records = {"first", "", std::string(300, '\xab')};
  std::string bytes;
};

TEST_F(Records, AreReadAsTheyWereWritten) {
  EXPECT_EQ(read_records(file), records);
  EXPECT_EQ(bytes.size(), 5U + 0U + 300U + 3U * 16U);
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x05\0\0\0\0\0\0\0", 8));
}

TEST_F(Records, ACutFileHasTheWholeOnesBeforeTheCut) {
  const std::size_t second = 21, third = 37;  // ends of the first two records
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const std::size_t whole = length < second ? 0 : length < third ? 1 : 2;
    EXPECT_EQ(read(bytes.substr(0, length)).size(), whole) << length;
  }
}

TEST_F(Records, ADamagedByteEndsTheFile) {
  for (std::size_t place = 21; place < bytes.size(); ++place) {
    std::string damaged = bytes;
    damaged[place] = static_cast<char>(damaged[place] ^ 1);
    EXPECT_EQ(read(damaged).size(), place < 37 ? 1U : 2U) << place;
  }
}

TEST_F(Records, AFileThatExistsIsNotTouched) {
  EXPECT_THROW(RecordFile{file}, Error);
  EXPECT_EQ(test::read_text(file), bytes);
  EXPECT_THROW(read_records(scratch / "missing"), Error);
}

}  // namespace
}  // namespace strider
