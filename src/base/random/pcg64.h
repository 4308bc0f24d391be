#pragma once
// numpy's default generator and what numpy draws from it, number for number.
// Sources: PCG64 XSL-RR 128/64 (O'Neill 2014); numpy, numpy/random: bit_generator.pyx (SeedSequence), src/pcg64,
// src/distributions/distributions.c (bounded integers), _generator.pyx (permutation).
#include <cstdint>
#include <vector>

namespace strider {

class NumpyGenerator {
 public:
  /// numpy.random.default_rng(seed).
  explicit NumpyGenerator(std::uint64_t seed);

  std::uint64_t next64();
  /// The low half of a 64-bit draw, then, at the next call, its high half.
  std::uint32_t next32();

  /// Generator.random(): 53 bits of one 64-bit draw.
  double random() { return static_cast<double>(next64() >> 11) * 0x1p-53; }

  /// Generator.integers(count), below 2^32: Lemire's method on 32-bit draws; a count of 1 takes none.
  std::uint32_t integer(std::uint32_t count);

  /// Generator.permutation(n), below 2^32: from the end, by masked rejection on 32-bit draws.
  std::vector<std::int64_t> permutation(std::int64_t n);

 private:
  __extension__ using Uint128 = unsigned __int128;
  std::uint32_t masked(std::uint32_t largest);

  Uint128 state_ = 0;
  Uint128 increment_ = 0;
  bool has_half_ = false;
  std::uint32_t half_ = 0;
};

}  // namespace strider
