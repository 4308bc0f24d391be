#pragma once
// Memory of kernels, with every access checked: its index against the bounds, and its word against races. Two accesses
// of one word, at least one of them a write, are a race where nothing orders them:
//   shared memory   different threads with no __syncthreads between them (or __syncwarp, for threads of one warp)
//   global memory   the same within a block; and always for different blocks of one launch
// A word of shared memory that is read before the block has written it is an error, too.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace cuda_on_cpu {

// Who touched a word, and when. -1 stands for several.
struct Access {
  std::uint32_t launch = 0;  // 0: nobody
  std::int32_t block = 0, warp = 0, thread = 0;
  std::uint32_t barriers = 0, warp_barriers = 0;  // that the block, the warp had passed
};

struct Word {
  Access write, read;
};

enum class Space { kShared, kGlobal };

/// The thread that runs now. Throws KernelError where that is a race, or a read of what nobody has written.
void note_read(Word& word, Space space, std::int64_t index);
void note_write(Word& word, Space space, std::int64_t index);
/// Throws KernelError.
[[noreturn]] void out_of_bounds(Space space, std::int64_t index, std::int64_t size);
[[noreturn]] void misaligned(Space space, std::int64_t index);
/// What is known of a word of memory from cudaMalloc; throws KernelError where it is not from there.
Word& global_word(const void* address);

inline void check_bounds(Space space, std::int64_t index, std::int64_t size) {
  if (index < 0 || index >= size) out_of_bounds(space, index, size);
}

/// Stands for an element: reading and assigning it are checked.
template <typename T>
class Element {
 public:
  Element(T& value, Word& word, Space space, std::int64_t index)
      : value_(value), word_(word), index_(index), space_(space) {}
  Element(const Element&) = default;
  operator T() const {
    note_read(word_, space_, index_);
    return value_;
  }
  Element& operator=(T value) {
    note_write(word_, space_, index_);
    value_ = value;
    return *this;
  }
  Element& operator=(const Element& other) { return *this = static_cast<T>(other); }
  Element& operator+=(T value) { return *this = static_cast<T>(*this) + value; }
  Element& operator*=(T value) { return *this = static_cast<T>(*this) * value; }

 private:
  T& value_;
  Word& word_;
  std::int64_t index_;
  Space space_;
};

/// As engine/cuda/device_memory.h has it.
template <typename T>
struct DeviceSpan {
  T* data = nullptr;
  std::int64_t size = 0;

  DeviceSpan() = default;
  DeviceSpan(T* values, std::int64_t count) : data(values), size(count) {}
  template <typename U>
  requires(std::is_same_v<T, const U>) DeviceSpan(DeviceSpan<U> other) : data(other.data), size(other.size) {}

  auto operator[](std::int64_t i) const {
    check_bounds(Space::kGlobal, i, size);
    Word& word = global_word(data + i);
    if constexpr (std::is_const_v<T>) {
      note_read(word, Space::kGlobal, i);
      return std::remove_const_t<T>(data[i]);
    } else {
      return Element<T>(data[i], word, Space::kGlobal, i);
    }
  }
};

template <typename T, int kSize>
struct SharedArray {
  Element<T> operator[](int i) {
    check_bounds(Space::kShared, i, kSize);
    return {values[i], words[i], Space::kShared, i};
  }

  alignas(16) T values[kSize];
  Word words[kSize];
};

// As engine/cuda/device_memory.h has them: one access on a GPU, here each element is checked.
template <typename Vector, typename T>
void check_alignment(const T* address, Space space, std::int64_t index) {
  if (reinterpret_cast<std::uintptr_t>(address) % sizeof(Vector) != 0) misaligned(space, index);
}
template <typename Vector, typename T, typename Memory, typename Index>
Vector read_vector(Memory& from, Index i) {
  T elements[sizeof(Vector) / sizeof(T)];
  for (T& element : elements) element = from[i++];
  Vector result;
  std::memcpy(&result, elements, sizeof(result));
  return result;
}
template <typename T, typename Vector, typename Memory, typename Index>
void write_vector(Memory& to, Index i, const Vector& vector) {
  T elements[sizeof(Vector) / sizeof(T)];
  std::memcpy(elements, &vector, sizeof(vector));
  for (const T& element : elements) to[i++] = element;
}
template <typename Vector, typename T>
Vector load_vector(DeviceSpan<const T> from, std::int64_t i) {
  check_alignment<Vector>(from.data + i, Space::kGlobal, i);
  return read_vector<Vector, T>(from, i);
}
template <typename Vector, typename T, int kSize>
Vector load_vector(SharedArray<T, kSize>& from, int i) {
  check_alignment<Vector>(from.values + i, Space::kShared, i);
  return read_vector<Vector, T>(from, i);
}
template <typename Vector, typename T>
void store_vector(DeviceSpan<T> to, std::int64_t i, const Vector& vector) {
  check_alignment<Vector>(to.data + i, Space::kGlobal, i);
  write_vector<T>(to, i, vector);
}
template <typename Vector, typename T, int kSize>
void store_vector(SharedArray<T, kSize>& to, int i, const Vector& vector) {
  check_alignment<Vector>(to.values + i, Space::kShared, i);
  write_vector<T>(to, i, vector);
}

}  // namespace cuda_on_cpu
