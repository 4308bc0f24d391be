#pragma once
// Memory layouts that are written down once. A layout is a function that takes its pieces from a Carver one after the
// other. Run with a Carver that has no memory it only counts; run again with as much memory as was counted it hands the
// pieces out:
//
//   struct Scratch {
//     float* scores;
//     void lay_out(Carver& carver, std::int64_t length) { scores = carver.take<float>(length * length); }
//   };
//   Scratch scratch;
//   const std::uint64_t bytes = carved_bytes([&](Carver& carver) { Scratch().lay_out(carver, length); });
//   const AlignedBuffer<std::byte> memory = carve([&](Carver& carver) { scratch.lay_out(carver, length); });
//
// So the size that a run announces before it starts and the memory that it then takes cannot differ.
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/aligned_buffer.h"

namespace strider {

class Carver {
 public:
  Carver() = default;  // counts only; every piece is null
  /// `memory` is aligned to kCacheLine and has the bytes that the same layout counted.
  explicit Carver(std::byte* memory) : memory_(memory) {}

  /// `count` elements that begin on a cache line of their own.
  template <typename T>
  T* take(std::int64_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::byte* const piece = memory_ == nullptr ? nullptr : memory_ + bytes_;
    const std::uint64_t size = static_cast<std::uint64_t>(count) * sizeof(T);
    bytes_ += (size + kCacheLine - 1) / kCacheLine * kCacheLine;
    return reinterpret_cast<T*>(piece);
  }

  /// Of all pieces so far.
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::byte* memory_ = nullptr;
  std::uint64_t bytes_ = 0;
};

/// Bytes that the layout takes.
template <typename LayOut>
std::uint64_t carved_bytes(const LayOut& lay_out) {
  Carver counting;
  lay_out(counting);
  return counting.bytes();
}

/// Zeroed memory for the layout, whose pieces are handed out. Throws std::bad_alloc when it cannot be had.
template <typename LayOut>
AlignedBuffer<std::byte> carve(const LayOut& lay_out) {
  AlignedBuffer<std::byte> memory(static_cast<std::size_t>(carved_bytes(lay_out)));
  Carver carver(memory.data());
  lay_out(carver);
  return memory;
}

}  // namespace strider
