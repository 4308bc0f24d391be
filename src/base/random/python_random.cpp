#include "base/random/python_random.h"

#include <array>
#include <bit>
#include <cmath>
#include <numeric>
#include <unordered_set>

namespace strider {
namespace {

MersenneTwister seeded(std::uint64_t seed) {
  const std::array<std::uint32_t, 2> words = {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
  return MersenneTwister(std::span(words).first(words[1] != 0 ? 2 : 1));
}

// Up to how many elements Python draws from a list of all that are left, and not into a set of those that were drawn.
// The two consume other draws: 21, and from six on 4 ** ceil(log(3 * count, 4)) more.
std::int64_t largest_pool(std::int64_t count) {
  std::int64_t set_size = 21;
  if (count > 5) {
    std::int64_t table = 1;
    while (table < 3 * count) table *= 4;
    set_size += table;
  }
  return set_size;
}

}  // namespace

PythonGenerator::PythonGenerator(std::uint64_t seed) : twister_(seeded(seed)) {}

std::uint64_t PythonGenerator::bits(int bits) {
  const auto draw = [this](int count) -> std::uint64_t { return twister_.next() >> (32 - count); };
  if (bits <= 32) return draw(bits);
  const std::uint64_t low = draw(32);  // the first draw is the low word
  return draw(bits - 32) << 32 | low;
}

double PythonGenerator::random() {
  const auto high = static_cast<double>(twister_.next() >> 5);
  const auto low = static_cast<double>(twister_.next() >> 6);
  return (high * 0x1p26 + low) * 0x1p-53;
}

std::uint64_t PythonGenerator::below(std::uint64_t n) {
  const auto width = static_cast<int>(std::bit_width(n));
  std::uint64_t drawn = bits(width);
  while (drawn >= n) drawn = bits(width);
  return drawn;
}

std::vector<std::int64_t> PythonGenerator::sample(std::int64_t n, std::int64_t count) {
  std::vector<std::int64_t> drawn;
  drawn.reserve(static_cast<std::size_t>(count));
  const auto draw = [this](std::int64_t end) {
    return static_cast<std::int64_t>(below(static_cast<std::uint64_t>(end)));
  };
  if (n <= largest_pool(count)) {
    std::vector<std::int64_t> pool(static_cast<std::size_t>(n));
    std::iota(pool.begin(), pool.end(), 0);
    while (static_cast<std::int64_t>(drawn.size()) < count) {
      const auto at = static_cast<std::size_t>(draw(static_cast<std::int64_t>(pool.size())));
      drawn.push_back(pool[at]);
      pool[at] = pool.back();
      pool.pop_back();
    }
    return drawn;
  }
  std::unordered_set<std::int64_t> selected;
  while (static_cast<std::int64_t>(drawn.size()) < count) {
    const std::int64_t next = draw(n);
    if (selected.insert(next).second) drawn.push_back(next);
  }
  return drawn;
}

std::vector<std::int64_t> PythonGenerator::choices(std::int64_t n, std::int64_t count) {
  std::vector<std::int64_t> drawn(static_cast<std::size_t>(count));
  const auto size = static_cast<double>(n);
  for (std::int64_t& at : drawn) at = static_cast<std::int64_t>(std::floor(random() * size));
  return drawn;
}

}  // namespace strider
