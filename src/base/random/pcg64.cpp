#include "base/random/pcg64.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

#include "base/error.h"

namespace strider {
namespace {

// SeedSequence: 32-bit words of entropy are hashed into a pool of four and drawn out of it again.
class SeedSequence {
 public:
  explicit SeedSequence(std::uint64_t seed) {
    const std::array<std::uint32_t, 2> words = {static_cast<std::uint32_t>(seed),
                                                static_cast<std::uint32_t>(seed >> 32)};
    const std::size_t given = words[1] != 0 ? 2 : 1;
    for (std::size_t i = 0; i < kPool; ++i) pool_[i] = hash(i < given ? words[i] : 0);
    for (std::size_t from = 0; from < kPool; ++from) {
      for (std::size_t to = 0; to < kPool; ++to) {
        if (from != to) pool_[to] = mix(pool_[to], hash(pool_[from]));
      }
    }
  }

  // generate_state(count, uint64), little-endian pairs of words.
  template <std::size_t kCount>
  std::array<std::uint64_t, kCount> generate() const {
    std::array<std::uint32_t, 2 * kCount> words{};
    std::uint32_t constant = 0x8B51F9DDU;
    for (std::size_t i = 0; i < words.size(); ++i) {
      std::uint32_t value = pool_[i % kPool] ^ constant;
      constant *= 0x58F38DEDU;
      value *= constant;
      words[i] = value ^ (value >> 16);
    }
    std::array<std::uint64_t, kCount> result{};
    for (std::size_t i = 0; i < kCount; ++i)
      result[i] = words[2 * i] | static_cast<std::uint64_t>(words[2 * i + 1]) << 32;
    return result;
  }

 private:
  static constexpr std::size_t kPool = 4;

  std::uint32_t hash(std::uint32_t value) {
    value ^= constant_;
    constant_ *= 0x931E8875U;
    value *= constant_;
    return value ^ (value >> 16);
  }

  static std::uint32_t mix(std::uint32_t x, std::uint32_t y) {
    const std::uint32_t result = 0xCA01F9DDU * x - 0x4973F715U * y;
    return result ^ (result >> 16);
  }

  std::uint32_t constant_ = 0x43B0D7E5U;
  std::array<std::uint32_t, kPool> pool_{};
};

}  // namespace

NumpyGenerator::NumpyGenerator(std::uint64_t seed) {
  const std::array<std::uint64_t, 4> words = SeedSequence(seed).generate<4>();
  const Uint128 start = static_cast<Uint128>(words[0]) << 64 | words[1];
  const Uint128 stream = static_cast<Uint128>(words[2]) << 64 | words[3];
  increment_ = stream << 1 | 1;
  next64();  // pcg_setseq_128_srandom: a step from 0, the seed added, a step
  state_ += start;
  next64();
}

// The division keeps the order of the entries, so the search may divide only what it looks at.
std::size_t NumpyGenerator::choice(std::span<const double> cumulative) {
  const double total = cumulative.back();
  const double drawn = random();
  const auto found =
      std::partition_point(cumulative.begin(), cumulative.end(), [&](double entry) { return entry / total <= drawn; });
  return static_cast<std::size_t>(found - cumulative.begin());
}

std::uint32_t NumpyGenerator::masked(std::uint32_t largest) {
  if (largest == 0) return 0;
  const std::uint32_t mask = ~0U >> std::countl_zero(largest);
  std::uint32_t value = next32() & mask;
  while (value > largest) value = next32() & mask;
  return value;
}

std::vector<std::int64_t> NumpyGenerator::permutation(std::int64_t n) {
  if (n >= 1LL << 32) throw Error("more walks than can be split: " + std::to_string(n));
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  for (std::int64_t i = n - 1; i > 0; --i) {
    std::swap(order[i], order[masked(static_cast<std::uint32_t>(i))]);
  }
  return order;
}

}  // namespace strider
