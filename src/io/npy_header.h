#pragma once
// The header of numpy's .npy format (numpy.lib.format): magic, version, length, then a Python dictionary that says
// type, order and shape. Shared by .npy files and the entries of .npz archives.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace strider {

struct NpyHeader {
  std::string dtype;  // "<f4", "<f8", "|i1", "<i8", ...
  bool fortran_order = false;
  std::vector<std::int64_t> shape;  // empty for a scalar
};

/// The bytes that go before the values of a C-ordered array, version 1.0: as numpy writes them, padded to 64 bytes.
std::string npy_header(std::string_view dtype, const std::vector<std::int64_t>& shape);

struct ParsedNpyHeader {
  NpyHeader header;
  std::uint64_t bytes = 0;  // of the header: where the values begin
  std::uint64_t count = 0;  // of values: the product of the shape
};

/// Bytes of `start` that parse_npy_header needs: `start` holds at least the first kNpyPrefix bytes, or the whole file.
inline constexpr std::size_t kNpyPrefix = 12;
std::uint64_t npy_header_bytes(std::string_view start, const std::filesystem::path& file, const std::string& place);

/// Reads a header of version 1.0 to 3.0 from the first bytes of an array. `file` and `place` name it in errors.
/// Throws Error: not a .npy array, cut off, no such keys, or a shape whose product does not fit 63 bits.
ParsedNpyHeader parse_npy_header(std::string_view start, const std::filesystem::path& file, const std::string& place);

}  // namespace strider
