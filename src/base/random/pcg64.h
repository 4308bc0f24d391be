#pragma once
// numpy's default generator and what numpy draws from it, number for number.
// Sources: PCG64 XSL-RR 128/64 (O'Neill 2014); numpy, numpy/random: bit_generator.pyx (SeedSequence), src/pcg64,
// src/distributions/distributions.c (bounded integers), _generator.pyx (permutation).
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace strider {

class NumpyGenerator {
  __extension__ using Uint128 = unsigned __int128;

 public:
  /// numpy.random.default_rng(seed).
  explicit NumpyGenerator(std::uint64_t seed);

  std::uint64_t next64() {
    constexpr Uint128 kMultiplier = static_cast<Uint128>(2549297995355413924ULL) << 64 | 4865540595714422341ULL;
    state_ = state_ * kMultiplier + increment_;
    const auto folded = static_cast<std::uint64_t>(state_ >> 64) ^ static_cast<std::uint64_t>(state_);
    return std::rotr(folded, static_cast<int>(state_ >> 122));
  }

  /// The low half of a 64-bit draw, then, at the next call, its high half.
  std::uint32_t next32() {
    if (has_half_) {
      has_half_ = false;
      return half_;
    }
    const std::uint64_t drawn = next64();
    has_half_ = true;
    half_ = static_cast<std::uint32_t>(drawn >> 32);
    return static_cast<std::uint32_t>(drawn);
  }

  /// Generator.random(): 53 bits of one 64-bit draw.
  double random() { return static_cast<double>(next64() >> 11) * 0x1p-53; }

  /// Generator.integers(count), below 2^32: Lemire's method on 32-bit draws; a count of 1 takes none.
  std::uint32_t integer(std::uint32_t count) {
    if (count <= 1) return 0;
    std::uint64_t product = static_cast<std::uint64_t>(next32()) * count;
    if (static_cast<std::uint32_t>(product) < count) {
      const std::uint32_t threshold = (0U - count) % count;
      while (static_cast<std::uint32_t>(product) < threshold) product = static_cast<std::uint64_t>(next32()) * count;
    }
    return static_cast<std::uint32_t>(product >> 32);
  }

  /// Generator.choice(n, p=p) where `cumulative` [n] is p.cumsum(): the first index whose share of the last entry
  /// exceeds one random(). The entries ascend and the last one is above 0.
  std::size_t choice(std::span<const double> cumulative);

  /// Generator.permutation(n), below 2^32: from the end, by masked rejection on 32-bit draws.
  std::vector<std::int64_t> permutation(std::int64_t n);

 private:
  std::uint32_t masked(std::uint32_t largest);

  Uint128 state_ = 0;
  Uint128 increment_ = 0;
  bool has_half_ = false;
  std::uint32_t half_ = 0;
};

}  // namespace strider
