#pragma once
// MT19937, the generator of 32-bit numbers below torch's and Python's.
// Source: Matsumoto and Nishimura 1998, and the initializations of their mt19937ar.c of 2002.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace strider {

class MersenneTwister {
 public:
  /// init_genrand(seed).
  explicit MersenneTwister(std::uint32_t seed);
  /// init_by_array(key); the key has at least one word.
  explicit MersenneTwister(std::span<const std::uint32_t> key);

  /// 32 bits.
  std::uint32_t next() {
    if (next_ == kState) refill();
    return temper(state_[next_++]);
  }
  void skip(std::uint64_t draws);

  /// The next draws before temper(), for loops over many: at least one, at most `most`, which is not 0. Valid until the
  /// next call.
  std::span<const std::uint32_t> take_untempered(std::size_t most) {
    if (next_ == kState) refill();
    const std::size_t count = std::min(most, kState - next_);
    next_ += count;
    return {state_.data() + next_ - count, count};
  }
  static std::uint32_t temper(std::uint32_t y) {
    y ^= y >> 11;
    y ^= (y << 7) & 0x9D2C5680U;
    y ^= (y << 15) & 0xEFC60000U;
    return y ^ y >> 18;
  }

 private:
  void refill();

  static constexpr std::size_t kState = 624;
  std::array<std::uint32_t, kState> state_{};
  std::size_t next_ = kState;
};

}  // namespace strider
