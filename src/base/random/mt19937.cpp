#include "base/random/mt19937.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "base/error.h"
#include "base/random/box_muller.h"

namespace strider {
namespace {

// 24 bits, so through a signed integer, which processors convert in vectors.
float to_uniform(std::uint32_t bits) {
  return static_cast<float>(static_cast<std::int32_t>(bits & 0xFFFFFFU)) * 0x1p-24F;
}

}  // namespace

std::uint64_t TorchGenerator::random64() {
  const std::uint64_t high = random();
  return high << 32 | random();
}

float TorchGenerator::uniform() {
  return to_uniform(random());
}

void TorchGenerator::fill_uniform(std::span<float> values) {
  while (!values.empty()) {
    const std::span<const std::uint32_t> words = twister_.take_untempered(values.size());
    for (std::size_t i = 0; i < words.size(); ++i) values[i] = to_uniform(MersenneTwister::temper(words[i]));
    values = values.subspan(words.size());
  }
}

double TorchGenerator::normal_double() {
  if (spare_normal_) {
    const double value = *spare_normal_;
    spare_normal_.reset();
    return value;
  }
  constexpr double kUnit = 0x1p-53;
  const double u1 = static_cast<double>(random64() & ((1ULL << 53) - 1)) * kUnit;
  const double u2 = static_cast<double>(random64() & ((1ULL << 53) - 1)) * kUnit;
  const double radius = std::sqrt(-2.0 * std::log1p(-u2));
  const double angle = 2.0 * std::numbers::pi * u1;
  spare_normal_ = radius * std::sin(angle);
  return radius * std::cos(angle);
}

void TorchGenerator::normal(std::span<float> values, double mean, double std) {
  if (values.size() < kNormalBlock) {
    for (float& value : values) value = static_cast<float>(normal_double() * std + mean);
    return;
  }
  fill_uniform(values);
  const auto mean32 = static_cast<float>(mean);
  const auto std32 = static_cast<float>(std);
  box_muller(values.data(), values.size() / kNormalBlock, mean32, std32);
  if (values.size() % kNormalBlock != 0) {  // the last 16 values are drawn anew
    const std::span<float> last = values.last(kNormalBlock);
    fill_uniform(last);
    box_muller(last.data(), 1, mean32, std32);
  }
}

void TorchGenerator::skip_normal(std::uint64_t elements) {
  if (elements < kNormalBlock) {
    for (std::uint64_t i = 0; i < elements; ++i) normal_double();
    return;
  }
  skip(elements + (elements % kNormalBlock != 0 ? kNormalBlock : 0));
}

void TorchGenerator::skip_uniform(std::uint64_t elements) {
  skip(elements);
}

std::vector<std::int64_t> TorchGenerator::permutation(std::int64_t n) {
  constexpr std::int64_t kLimit = (1LL << 32) / 20;  // above it torch draws 64 bits an element
  if (n >= kLimit) throw Error("more walks than can be put in order: " + std::to_string(n));
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  for (std::int64_t i = 0; i < n - 1; ++i) {
    const auto other = i + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n - i));
    std::swap(order[i], order[other]);
  }
  return order;
}

}  // namespace strider
