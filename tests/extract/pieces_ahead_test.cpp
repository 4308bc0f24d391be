#include "extract/pieces_ahead.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

namespace strider {
namespace {

TEST(PiecesAhead, ComeInTheirOrderAndSize) {
  std::int64_t made = 0;
  PiecesAhead ahead(3, [&](float* out) -> std::int64_t {
    if (made == 1000) return 0;
    ++made;
    const std::int64_t floats = 1 + made % 3;
    for (std::int64_t i = 0; i < floats; ++i) out[i] = static_cast<float>(made);
    return floats;
  });
  for (int piece = 1; piece <= 1000; ++piece) {
    const std::span<const float> taken = ahead.take();
    ASSERT_EQ(taken.size(), static_cast<std::size_t>(1 + piece % 3));
    std::this_thread::yield();  // what is made meanwhile must not touch what was taken
    for (const float value : taken) ASSERT_EQ(value, static_cast<float>(piece));
  }
}

TEST(PiecesAhead, WhatMakingThrowsComesOutWhereItIsTaken) {
  int made = 0;
  PiecesAhead ahead(1, [&](float*) -> std::int64_t {
    if (++made == 2) throw std::runtime_error("no more");
    return 1;
  });
  ahead.take();
  EXPECT_THROW(ahead.take(), std::runtime_error);
}

TEST(PiecesAhead, EndsWhenPiecesAreLeft) {
  std::atomic<int> made{0};
  {
    PiecesAhead ahead(1, [&](float* out) -> std::int64_t {
      *out = 1.0F;
      ++made;
      return 1;
    });
    ahead.take();
  }
  EXPECT_LE(made, 2);
}

}  // namespace
}  // namespace strider
