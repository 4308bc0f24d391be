#include "base/carver.h"

#include <gtest/gtest.h>

namespace strider {
namespace {

struct Layout {
  std::int8_t* bytes = nullptr;
  double* doubles = nullptr;
  float* none = nullptr;
  float* floats = nullptr;

  void lay_out(Carver& carver) {
    bytes = carver.take<std::int8_t>(3);
    doubles = carver.take<double>(9);
    none = carver.take<float>(0);
    floats = carver.take<float>(16);
  }
};

TEST(Carver, CountsWhatItHandsOut) {
  EXPECT_EQ(carved_bytes([](Carver& carver) { Layout().lay_out(carver); }), 64U + 128U + 0U + 64U);
}

TEST(Carver, PiecesBeginOnCacheLinesAndDoNotOverlap) {
  Layout layout;
  AlignedBuffer<std::byte> memory = carve([&](Carver& carver) { layout.lay_out(carver); });
  ASSERT_EQ(memory.size(), 256U);
  const auto at = [&](const void* piece) { return static_cast<const std::byte*>(piece) - memory.data(); };
  EXPECT_EQ(at(layout.bytes), 0);
  EXPECT_EQ(at(layout.doubles), 64);
  EXPECT_EQ(at(layout.floats), 192);
  for (int i = 0; i < 9; ++i) layout.doubles[i] = 1.0;
  for (int i = 0; i < 16; ++i) EXPECT_EQ(layout.floats[i], 0.0F);
}

}  // namespace
}  // namespace strider
