#include "base/random/mersenne_twister.h"

namespace strider {
namespace {

constexpr std::size_t kShift = 397;

std::uint32_t twist(std::uint32_t high, std::uint32_t low) {
  const std::uint32_t mixed = (high & 0x80000000U) | (low & 0x7FFFFFFFU);
  return (mixed >> 1) ^ ((low & 1U) != 0U ? 0x9908B0DFU : 0U);
}

}  // namespace

MersenneTwister::MersenneTwister(std::uint32_t seed) {
  state_[0] = seed;
  for (std::size_t i = 1; i < kState; ++i) {
    state_[i] = 1812433253U * (state_[i - 1] ^ (state_[i - 1] >> 30)) + static_cast<std::uint32_t>(i);
  }
}

MersenneTwister::MersenneTwister(std::span<const std::uint32_t> key) : MersenneTwister(19650218U) {
  std::size_t i = 1;
  const auto advance = [&] {
    if (++i < kState) return;
    state_[0] = state_[kState - 1];
    i = 1;
  };
  for (std::size_t round = 0; round < std::max(kState, key.size()); ++round) {
    const std::size_t j = round % key.size();
    state_[i] =
        (state_[i] ^ (state_[i - 1] ^ (state_[i - 1] >> 30)) * 1664525U) + key[j] + static_cast<std::uint32_t>(j);
    advance();
  }
  for (std::size_t round = 0; round < kState - 1; ++round) {
    state_[i] = (state_[i] ^ (state_[i - 1] ^ (state_[i - 1] >> 30)) * 1566083941U) - static_cast<std::uint32_t>(i);
    advance();
  }
  state_[0] = 0x80000000U;
}

void MersenneTwister::refill() {
  std::size_t i = 0;
  for (; i < kState - kShift; ++i) state_[i] = state_[i + kShift] ^ twist(state_[i], state_[i + 1]);
  for (; i < kState - 1; ++i) state_[i] = state_[i + kShift - kState] ^ twist(state_[i], state_[i + 1]);
  state_[i] = state_[i + kShift - kState] ^ twist(state_[i], state_[0]);
  next_ = 0;
}

void MersenneTwister::skip(std::uint64_t draws) {
  while (draws > 0) {
    if (next_ == kState) refill();
    const std::uint64_t taken = std::min<std::uint64_t>(draws, kState - next_);
    next_ += taken;
    draws -= taken;
  }
}

}  // namespace strider
