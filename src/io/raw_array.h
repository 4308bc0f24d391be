#pragma once
// Arrays of numpy of any type of number, whole in memory: for what others wrote.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace strider {

struct RawArray {
  std::string dtype;  // "<f8", "<i4", "|b1", "|S3", ...
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
  std::string bytes;  // of the values, as in the file
  std::uint64_t size() const;
};

/// A .npy file. Throws Error: no such file, not a .npy array, other bytes than the header asks for.
RawArray read_raw_npy(const std::filesystem::path& file);
/// One array of an .npz file. Throws Error as read_npz_entries, and where there is no such array.
RawArray read_raw_npz(const std::filesystem::path& file, const std::string& name);
/// An .npz file that appears whole. Same arrays, same bytes.
void write_raw_npz(const std::filesystem::path& file, const std::vector<std::pair<std::string, RawArray>>& arrays);

/// Numbers of any of numpy's types of integers, booleans and floats (little-endian). Throws Error, which names `file`
/// and `place`, for another type.
std::vector<double> as_doubles(const RawArray& array, const std::filesystem::path& file, const std::string& place);
/// The same; throws Error for a number that is not whole as well.
std::vector<std::int64_t> as_integers(const RawArray& array, const std::filesystem::path& file,
                                      const std::string& place);
/// Text of one value: of "|S3" or "<U3".
std::string as_text(const RawArray& array, const std::filesystem::path& file, const std::string& place);

template <typename T>
RawArray raw_array_of(std::string dtype, const std::vector<T>& values) {
  return {.dtype = std::move(dtype),
          .fortran_order = false,
          .shape = {static_cast<std::int64_t>(values.size())},
          .bytes = std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T))};
}

}  // namespace strider
