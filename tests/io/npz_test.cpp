#include "io/npz.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/error.h"
#include "golden.h"
#include "io/large_file.h"
#include "writing.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using test::entries_in;
using test::FileSizeLimit;
using test::message_of;
using test::ScratchFolder;

std::int64_t values_of(const std::vector<std::int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

// What an array whose value at flat index i is start + i holds.
std::vector<float> counted(const std::vector<std::int64_t>& shape, float start) {
  std::vector<float> values(static_cast<std::size_t>(values_of(shape)));
  std::iota(values.begin(), values.end(), start);
  return values;
}

NpzArray counting(const std::string& name, const std::vector<std::int64_t>& shape, float start = 0.0F) {
  const std::int64_t row = shape[0] == 0 ? 0 : values_of(shape) / shape[0];
  auto rows = [row, piece = std::vector<float>(), start](std::int64_t first, std::int64_t count) mutable {
    piece = counted({count, row}, start + static_cast<float>(first * row));
    return std::span<const float>(piece);
  };
  return {name, shape, rows};
}

TEST(Npz, ReadsWhatItWrites) {
  const ScratchFolder scratch;
  const fs::path file = scratch / "a.npz";
  const std::vector<NpzArray> arrays = {counting("matrix", {1000, 7}, 3.0F), counting("vector", {13}),
                                        counting("cube", {5, 2, 3}, -9.0F), counting("none", {0, 4})};
  for (const std::int64_t rows_at_once : {1, 64, 5000}) {
    write_npz(file, arrays, rows_at_once);
    const std::vector<NpzEntry> entries = read_npz_entries(file);
    ASSERT_EQ(entries.size(), arrays.size());
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      EXPECT_EQ(entries[i].name, arrays[i].name);
      EXPECT_EQ(entries[i].dtype, "<f4");
      EXPECT_FALSE(entries[i].fortran_order);
      EXPECT_EQ(entries[i].shape, arrays[i].shape);
      const std::span<const float> whole = arrays[i].rows(0, arrays[i].shape[0]);
      const std::vector<float> expected(whole.begin(), whole.end());
      const NpzFloats read = read_npz_floats(file, arrays[i].name);
      EXPECT_EQ(read.shape, arrays[i].shape);
      EXPECT_EQ(read.values, expected);
    }
  }
}

TEST(Npz, AsksForRowsOnceAndInOrder) {
  const ScratchFolder scratch;
  std::vector<std::pair<std::int64_t, std::int64_t>> asked;
  NpzArray array = counting("a", {10, 3});
  array.rows = [&, piece = std::vector<float>(12)](std::int64_t first, std::int64_t count) {
    asked.emplace_back(first, count);
    return std::span(piece).first(static_cast<std::size_t>(3 * count));
  };
  write_npz(scratch / "a.npz", {array}, 4);
  EXPECT_EQ(asked, (std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 4}, {4, 4}, {8, 2}}));
}

TEST(Npz, SameArraysAreTheSameBytes) {
  const ScratchFolder scratch;
  write_npz(scratch / "a.npz", {counting("x", {300, 20}), counting("y", {5})}, 7);
  write_npz(scratch / "b.npz", {counting("x", {300, 20}), counting("y", {5})}, 300);
  EXPECT_EQ(test::read_text(scratch / "a.npz"), test::read_text(scratch / "b.npz"));
}

TEST(Npz, ReadsWhatNumpyCompressed) {
  const fs::path file = test::golden("run/token_representations.npz");
  const std::vector<NpzEntry> entries = read_npz_entries(file);
  ASSERT_EQ(entries.size(), 12U);
  EXPECT_EQ(entries[1].name, "layer_0_ffn_gate");
  EXPECT_EQ(entries[1].shape, (std::vector<std::int64_t>{48, 64}));
  const NpzFloats before = read_npz_floats(file, "layer_0_residual_before");
  EXPECT_EQ(before.values, read_npz_floats(file, "input_embeds").values);
  EXPECT_NE(before.values, read_npz_floats(file, "final_hidden").values);
}

TEST(Npz, LeavesWhatWasThereWhenAnArrayFails) {
  const ScratchFolder scratch;
  const fs::path file = scratch / "a.npz";
  write_npz(file, {counting("old", {4})}, 4);
  NpzArray failing = counting("new", {100000, 4});
  failing.rows = [rows = failing.rows](std::int64_t first, std::int64_t count) {
    if (first > 50000) throw Error("no more rows");
    return rows(first, count);
  };
  EXPECT_EQ(message_of([&] { write_npz(file, {failing}, 1000); }), "no more rows");
  EXPECT_EQ(read_npz_entries(file).at(0).name, "old");
  EXPECT_EQ(entries_in(scratch.path()), 1);
}

void expect_nothing_left_of(const NpzArray& array, rlim_t disk_bytes) {
  const ScratchFolder scratch;
  std::string message;
  {
    const FileSizeLimit limit(disk_bytes);
    message = message_of([&] { write_npz(scratch / "a.npz", {array}, 1000); });
  }
  EXPECT_NE(message.find("a.npz"), std::string::npos) << message;
  EXPECT_NE(message.find("File too large"), std::string::npos) << message;
  EXPECT_EQ(entries_in(scratch.path()), 0);
}

TEST(Npz, LeavesNothingWhenTheDiskIsFull) {
  expect_nothing_left_of(counting("a", {100'000, 4}), 100'000);
}

TEST(Npz, LeavesNothingWhenTheDiskIsFullFarIntoTheFile) {
  expect_nothing_left_of(counting("a", {3'000'000, 1}), 2 * LargeFile::kBufferBytes + 5000);
}

// Past the buffer of what it is written with: the first headers are completed on the disk, the last ones in memory.
TEST(Npz, ReadsWhatIsLargerThanTheBuffer) {
  const ScratchFolder scratch;
  const fs::path file = scratch / "a.npz";
  const std::vector<NpzArray> arrays = {counting("first", {3, 1'000'000}), counting("second", {700, 1000}, 5.0F),
                                        counting("third", {11}, 7.0F)};
  write_npz(file, arrays, 2);
  EXPECT_GT(fs::file_size(file), 3 * LargeFile::kBufferBytes);
  ASSERT_EQ(read_npz_entries(file).size(), 3U);
  for (const NpzArray& array : arrays) {
    const std::span<const float> whole = array.rows(0, array.shape[0]);
    const std::vector<float> expected(whole.begin(), whole.end());
    EXPECT_EQ(read_npz_floats(file, array.name).values, expected) << array.name;
  }
  EXPECT_EQ(entries_in(scratch.path()), 1);
}

TEST(Npz, RefusesOtherRowsThanItAskedFor) {
  const ScratchFolder scratch;
  NpzArray array = counting("a", {10, 3});
  array.rows = [piece = std::vector<float>(12)](std::int64_t, std::int64_t) { return std::span<const float>(piece); };
  EXPECT_NE(message_of([&] { write_npz(scratch / "a.npz", {array}, 4); }).find("other rows"), std::string::npos);
  EXPECT_EQ(entries_in(scratch.path()), 0);
}

TEST(Npz, SaysWhenItCannotWriteThere) {
  const ScratchFolder scratch;
  const std::string message = message_of([&] { write_npz(scratch / "no/such/a.npz", {counting("a", {4})}, 4); });
  EXPECT_NE(message.find("No such file or directory"), std::string::npos) << message;
}

TEST(Npz, RefusesDamagedFiles) {
  const ScratchFolder scratch;
  const fs::path file = scratch / "a.npz";
  write_npz(file, {counting("a", {50, 4})}, 50);
  const std::string good = test::read_text(file);

  scratch.write("a.npz", good.substr(0, good.size() / 2));
  EXPECT_NE(message_of([&] { read_npz_entries(file); }), "nothing was thrown");
  scratch.write("a.npz", "these are no arrays");
  EXPECT_NE(message_of([&] { read_npz_entries(file); }).find("a.npz"), std::string::npos);

  std::string changed = good;  // a value: only the checksum notices
  changed[good.find("(50, 4)") + 300] ^= 1;
  scratch.write("a.npz", changed);
  EXPECT_EQ(read_npz_entries(file).size(), 1U);
  EXPECT_NE(message_of([&] { read_npz_floats(file, "a"); }).find("CRC"), std::string::npos);

  for (const std::string shape : {"(51, 4)", "(50, 9)", "(-1, 4)", "(50, 4]", "(5x, 4)"}) {
    changed = good;
    changed.replace(good.find("(50, 4)"), shape.size(), shape);
    scratch.write("a.npz", changed);
    EXPECT_NE(message_of([&] { read_npz_entries(file); }).find("a.npy"), std::string::npos) << shape;
  }
  changed = good;
  changed.replace(good.find("<f4"), 3, "<i4");
  scratch.write("a.npz", changed);
  EXPECT_EQ(read_npz_entries(file).at(0).dtype, "<i4");
  EXPECT_NE(message_of([&] { read_npz_floats(file, "a"); }).find("not float32"), std::string::npos);
}

TEST(Npz, SaysWhichArrayIsMissing) {
  const ScratchFolder scratch;
  write_npz(scratch / "a.npz", {counting("a", {4})}, 4);
  EXPECT_NE(message_of([&] { read_npz_floats(scratch / "a.npz", "b"); }).find("no array \"b\""), std::string::npos);
  EXPECT_NE(message_of([&] { read_npz_entries(scratch / "b.npz"); }).find("b.npz"), std::string::npos);
}

// Writes more than 4 GiB, so it only runs when asked for: --gtest_also_run_disabled_tests --gtest_filter=Npz.*GiB
TEST(Npz, DISABLED_GoesPastFourGiB) {
  const ScratchFolder scratch;
  const fs::path file = scratch / "a.npz";
  const std::int64_t rows = (std::int64_t{1} << 32) / (1024 * 4) + 5;
  NpzArray large{"large", {rows, 1024}, [piece = std::vector<float>()](std::int64_t first, std::int64_t count) mutable {
                   piece.resize(static_cast<std::size_t>(count * 1024));
                   for (std::int64_t r = 0; r < count; ++r) {
                     std::fill_n(piece.data() + r * 1024, 1024, static_cast<float>(first + r));
                   }
                   return std::span<const float>(piece);
                 }};
  write_npz(file, {large, counting("after", {3, 2})}, 2048);
  EXPECT_EQ(read_npz_entries(file).at(0).shape, large.shape);
  EXPECT_EQ(read_npz_floats(file, "after").values, (std::vector<float>{0, 1, 2, 3, 4, 5}));
  const NpzFloats read = read_npz_floats(file, "large");
  EXPECT_EQ(read.values[static_cast<std::size_t>((rows - 1) * 1024)], static_cast<float>(rows - 1));
}

}  // namespace
}  // namespace strider
