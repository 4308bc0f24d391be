#pragma once
// The safetensors format (Hugging Face): 8 bytes of header length, a JSON header that gives each tensor a dtype, a
// shape and the range of its bytes, then the bytes of all tensors without gaps.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace strider {

struct TensorEntry {
  std::string name;
  std::string dtype;  // "F32", "BF16", "F16", "F64", "I64" ...
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  // bytes, from the start of the data
  std::int64_t elements() const;
};

/// A safetensors file in mapped memory. Everything the header says is checked against the file before it is used.
class SafetensorsFile {
 public:
  /// Throws Error: not there, cut short, a header that is no JSON or whose sizes, types or ranges do not fit.
  explicit SafetensorsFile(const std::filesystem::path& file);

  const std::vector<TensorEntry>& tensors() const { return tensors_; }
  const std::vector<std::pair<std::string, std::string>>& metadata() const { return metadata_; }
  const std::filesystem::path& path() const { return file_; }
  const TensorEntry* find(const std::string& name) const;  // null when there is none
  /// Copies a tensor of F32, BF16, F16 or F64 into `out` (elements() floats), widened or rounded to nearest.
  void read(const TensorEntry& tensor, std::span<float> out) const;

 private:
  struct Mapping;
  std::filesystem::path file_;
  std::shared_ptr<const Mapping> mapping_;
  const unsigned char* data_ = nullptr;
  std::vector<TensorEntry> tensors_;
  std::vector<std::pair<std::string, std::string>> metadata_;
};

struct TensorToWrite {
  std::string name;
  std::vector<std::int64_t> shape;
  const float* data = nullptr;
};

/// Writes float32 tensors with the given metadata, byte for byte the file that the safetensors library writes of them;
/// it appears whole or not at all.
void write_safetensors(const std::filesystem::path& file, const std::vector<TensorToWrite>& tensors,
                       const std::vector<std::pair<std::string, std::string>>& metadata);

}  // namespace strider
