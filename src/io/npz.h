#pragma once
// numpy's .npz: a zip archive with one .npy file an array (numpy.lib.format, version 1.0). Written with stored entries,
// in zip64 where an array or the file passes 4 GiB; read with stored or deflated ones.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace strider {

/// A float32 array that is made while it is written, so that it is never in memory as a whole.
struct NpzArray {
  std::string name;                 // as numpy shows it, without ".npy"
  std::vector<std::int64_t> shape;  // rows first; at least one dimension
  /// Gives rows [first, first + count): count times the product of the other dimensions, valid until the next call.
  /// Called once for each piece, in order, an array after the other. What it throws comes out of write_npz.
  std::function<std::span<const float>(std::int64_t first, std::int64_t count)> rows;
};

/// Writes `file` with the arrays in their order, asking for `rows_at_once` rows a piece. Same arrays, same bytes. On an
/// error (no permission, no space, what `rows` throws) nothing is left and what was there before stays.
void write_npz(const std::filesystem::path& file, const std::vector<NpzArray>& arrays, std::int64_t rows_at_once);

struct NpzEntry {
  std::string name;
  std::string dtype;  // as in the file: "<f4", "<i8", ...
  std::vector<std::int64_t> shape;
  bool fortran_order = false;
  std::uint32_t crc32 = 0;  // of the .npy file, as the archive's directory has it
};

/// What a file holds, in its order. Throws Error: not a zip archive, an entry that is not a .npy array, or whose bytes
/// are not as many as its header says.
std::vector<NpzEntry> read_npz_entries(const std::filesystem::path& file);

struct NpzFloats {
  std::vector<std::int64_t> shape;
  std::vector<float> values;  // last dimension fastest
};

/// One float32 array. Throws Error as above, when there is no such array or it is not "<f4" in C order, or when its
/// checksum is wrong.
NpzFloats read_npz_floats(const std::filesystem::path& file, const std::string& name);

/// One float32 array, read a piece at a time from front to back, so that it never is in memory as a whole.
class NpzFloatReader {
 public:
  /// Throws Error as read_npz_floats.
  NpzFloatReader(const std::filesystem::path& file, const std::string& name);
  ~NpzFloatReader();
  NpzFloatReader(const NpzFloatReader&) = delete;
  NpzFloatReader& operator=(const NpzFloatReader&) = delete;

  const std::vector<std::int64_t>& shape() const;
  std::uint64_t left() const;  // values that have not been read
  /// Fills `out` (at most left() values). With the last value the checksum is compared. Throws Error.
  void read(std::span<float> out);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace strider
