#pragma once
// Python's random.Random and what it draws, number for number.
// Source: CPython 3.11, Modules/_randommodule.c (seed, getrandbits, random) and Lib/random.py (_randbelow, sample,
// choices). Seeds of type int give the same draws in all versions from 3.2 on.
#include <cstdint>
#include <vector>

#include "base/random/mersenne_twister.h"

namespace strider {

class PythonGenerator {
 public:
  /// random.Random(seed), of an int.
  explicit PythonGenerator(std::uint64_t seed);

  /// getrandbits(bits), of 1 to 64 bits.
  std::uint64_t bits(int bits);
  /// random(): 53 bits of two draws, in [0, 1).
  double random();
  /// randrange(n), of n from 1 on.
  std::uint64_t below(std::uint64_t n);

  /// sample(range(n), count): `count` distinct numbers below n, in the order in which they are drawn; count <= n.
  std::vector<std::int64_t> sample(std::int64_t n, std::int64_t count);
  /// choices(range(n), k=count): with replacement; n from 1 to 2^53.
  std::vector<std::int64_t> choices(std::int64_t n, std::int64_t count);

 private:
  MersenneTwister twister_;
};

}  // namespace strider
