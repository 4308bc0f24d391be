// .npy files: the bytes that numpy writes, and what must be refused.
#include "io/npy.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "golden.h"

namespace strider {
namespace {

template <typename T>
void write(const std::filesystem::path& file, const std::vector<std::int64_t>& shape, const std::vector<T>& values) {
  NpyWriter<T> writer(file, shape);
  writer.write(values);
  writer.commit();
}

// numpy.save(file, numpy.array([[1, 0, -1], [2, 3, 4]], dtype=numpy.int8))
TEST(Npy, BytesAreNumpys) {
  const test::ScratchFolder folder;
  write<std::int8_t>(folder / "a.npy", {2, 3}, {1, 0, -1, 2, 3, 4});
  std::string expected("\x93NUMPY\x01\x00v\x00", 10);
  expected += "{'descr': '|i1', 'fortran_order': False, 'shape': (2, 3), }";
  expected.append(127 - expected.size(), ' ');
  expected += "\n";
  expected += {1, 0, -1, 2, 3, 4};
  EXPECT_EQ(test::read_text(folder / "a.npy"), expected);
}

template <typename T>
class NpyValues : public testing::Test {};
using Types = testing::Types<float, double, std::int8_t, std::int64_t>;
TYPED_TEST_SUITE(NpyValues, Types);

TYPED_TEST(NpyValues, ComeBackInPieces) {
  const test::ScratchFolder folder;
  const std::vector<TypeParam> values = {std::numeric_limits<TypeParam>::lowest(), 0, 1,
                                         std::numeric_limits<TypeParam>::max(),    5, 6};
  NpyWriter<TypeParam> writer(folder / "a.npy", {3, 1, 2});
  for (const TypeParam& value : values) writer.write({&value, 1});
  writer.commit();
  const NpyArray<TypeParam> array = read_npy<TypeParam>(folder / "a.npy");
  EXPECT_EQ(array.shape, (std::vector<std::int64_t>{3, 1, 2}));
  EXPECT_EQ(array.values, values);
}

TEST(Npy, NotANumberStaysOne) {
  const test::ScratchFolder folder;
  write<double>(folder / "a.npy", {1}, {std::nan("")});
  EXPECT_TRUE(std::isnan(read_npy<double>(folder / "a.npy").values[0]));
}

TEST(Npy, AnArrayOfAnotherSizeThanItsShapeIsNotWritten) {
  const test::ScratchFolder folder;
  EXPECT_THROW(write<float>(folder / "a.npy", {2, 2}, {1, 2, 3}), Error);
  EXPECT_THROW(write<float>(folder / "a.npy", {2, 2}, {1, 2, 3, 4, 5}), Error);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Npy, DamageIsRefused) {
  const test::ScratchFolder folder;
  EXPECT_THROW(read_npy<float>(folder / "none.npy"), Error);
  write<float>(folder / "a.npy", {2, 2}, {1, 2, 3, 4});
  const std::string bytes = test::read_text(folder / "a.npy");
  EXPECT_THROW(read_npy<double>(folder / "a.npy"), Error);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(read_npy<float>(folder.write("cut.npy", bytes.substr(0, size))), Error) << size;
  }
  EXPECT_THROW(read_npy<float>(folder.write("more.npy", bytes + "1234")), Error);
  std::string fortran = bytes;
  fortran.replace(fortran.find("False, "), 7, "True,  ");
  EXPECT_THROW(read_npy<float>(folder.write("fortran.npy", fortran)), Error);
}

}  // namespace
}  // namespace strider
