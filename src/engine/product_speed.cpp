#include "engine/product_speed.h"

#include <chrono>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/clock.h"
#include "base/thread_team.h"
#include "engine/cpu/ops/linear.h"

namespace strider {
namespace {

constexpr std::int64_t kRows = 256, kWidth = 256;
constexpr LinearShape kShape{kWidth, kWidth};

// A product and all that it reads and writes, of one thread.
class Product {
 public:
  explicit Product(Precision precision)
      : weight_(kWidth * kWidth),
        packed_(static_cast<std::size_t>(packed_forward_size(kShape, precision))),
        x_(kRows * kWidth),
        y_(kRows * kWidth),
        scratch_(static_cast<std::size_t>(linear_scratch_words(precision, kRows, 2 * kWidth))),
        linear_{.shape = kShape, .precision = precision} {
    // Values of no special kind: zeros and denormal numbers may take another time.
    for (std::size_t i = 0; i < weight_.size(); ++i) weight_[i] = 0.5F + static_cast<float>(i % 7);
    for (std::size_t i = 0; i < x_.size(); ++i) x_[i] = 0.25F + static_cast<float>(i % 5);
    if (precision == Precision::kFloat32) {
      packed_floats_ = AlignedBuffer<float>(packed_.size());
      pack_forward(kShape, weight_.data(), 0, kWidth, packed_floats_.data());
      linear_.forward = packed_floats_.data();
    } else {
      pack_forward(kShape, weight_.data(), 0, kWidth, packed_.data());
      linear_.forward_pairs = packed_.data();
    }
  }

  void multiply() {
    linear_forward(linear_, kRows, {x_.data(), kWidth}, {y_.data(), kWidth}, Write::kReplace, {scratch_.data()});
  }

 private:
  AlignedBuffer<float> weight_;
  AlignedBuffer<std::uint32_t> packed_;
  AlignedBuffer<float> packed_floats_;
  AlignedBuffer<float> x_, y_;
  AlignedBuffer<std::uint32_t> scratch_;
  PackedLinear linear_;
};

}  // namespace

double measure_product_flops(Precision precision, int threads) {
  constexpr auto kTime = std::chrono::milliseconds(150);
  constexpr double kOperations = 2.0 * static_cast<double>(kRows * kWidth * kWidth);
  ThreadTeam team(threads);
  std::vector<double> rates(static_cast<std::size_t>(threads), 0.0);
  team.run([&](int member) {
    Product product(precision);
    product.multiply();  // makes the kernels
    const Clock::time_point began = Clock::now();
    double products = 0.0;
    do {
      product.multiply();
      products += 1.0;
    } while (Clock::now() - began < kTime);
    rates[static_cast<std::size_t>(member)] = products * kOperations / seconds_since(began);
  });
  double sum = 0.0;
  for (const double rate : rates) sum += rate;
  return sum;
}

}  // namespace strider
