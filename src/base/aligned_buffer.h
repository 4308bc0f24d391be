#pragma once
// Memory for arithmetic: aligned to cache lines, zeroed, owned, never resized; in huge pages where it is large and the
// system has them.
#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

namespace strider {

inline constexpr std::size_t kCacheLine = 64;
inline constexpr std::size_t kHugePage = std::size_t{2} << 20;

template <typename T>
class AlignedBuffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  AlignedBuffer() = default;
  /// `count` zeroed elements; throws std::bad_alloc when they cannot be had.
  explicit AlignedBuffer(std::size_t count) : size_(count) {
    if (count > (static_cast<std::size_t>(-1) / 2 - kCacheLine) / sizeof(T)) throw std::bad_alloc();
    const std::size_t bytes = (count * sizeof(T) + kCacheLine - 1) / kCacheLine * kCacheLine;
    if (bytes == 0) return;
    const bool large = bytes >= kHugePage;
    void* memory = nullptr;
    if (posix_memalign(&memory, large ? kHugePage : kCacheLine, bytes) != 0) throw std::bad_alloc();
    // A step goes through more small pages than a processor can keep in mind, and its prefetching stops at each. This
    // is advice: a system that has no huge pages says so, and nothing is lost.
    if (large) madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
    std::memset(memory, 0, bytes);
    data_.reset(static_cast<T*>(memory));
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t i) { return data_.get()[i]; }
  const T& operator[](std::size_t i) const { return data_.get()[i]; }
  std::span<T> span() { return {data_.get(), size_}; }
  std::span<const T> span() const { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  std::unique_ptr<T, Free> data_;
  std::size_t size_ = 0;
};

}  // namespace strider
