#pragma once
// numpy's .npy files of one array in C order (numpy.lib.format, written as version 1.0), for float, double, int8 and
// int64 values.
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "io/atomic_file.h"

namespace strider {

/// An array that is written piece by piece, last dimension fastest, and appears on commit().
template <typename T>
class NpyWriter {
 public:
  /// Makes the folders above `file`. Throws Error when it cannot be written.
  NpyWriter(const std::filesystem::path& file, const std::vector<std::int64_t>& shape);
  void write(std::span<const T> values);
  /// Throws Error, and leaves nothing, when other than the product of the shape has been written.
  Notices commit();

 private:
  AtomicFile file_;
  std::uint64_t missing_ = 1;  // values
};

template <typename T>
struct NpyArray {
  std::vector<std::int64_t> shape;
  std::vector<T> values;  // last dimension fastest
};

/// Throws Error: no such file, not a .npy array, values of another type or in Fortran order, or more or fewer bytes
/// than the shape asks for.
template <typename T>
NpyArray<T> read_npy(const std::filesystem::path& file);

}  // namespace strider
