#include "io/safetensors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/atomic_file.h"
#include "io/json.h"

namespace strider {
namespace {

constexpr std::uint64_t kLargestHeader = 100'000'000;  // the bound of the safetensors library
constexpr std::size_t kLengthBytes = 8;

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& what, const std::string& place = {}) {
  throw Error(what, {.file = file.string(),
                     .place = place,
                     .advice = "The file is damaged or no safetensors file; make or copy it again."});
}

std::uint64_t bytes_per_element(const std::string& dtype) {
  if (dtype == "F64" || dtype == "I64" || dtype == "U64") return 8;
  if (dtype == "F32" || dtype == "I32" || dtype == "U32") return 4;
  if (dtype == "F16" || dtype == "BF16" || dtype == "I16" || dtype == "U16") return 2;
  if (dtype == "I8" || dtype == "U8" || dtype == "BOOL" || dtype == "F8_E4M3" || dtype == "F8_E5M2") return 1;
  return 0;
}

TensorEntry parse_entry(const std::filesystem::path& file, const std::string& name, const nlohmann::json& value,
                        std::uint64_t data_bytes) {
  const std::string place = fmt::format("tensor \"{}\"", name);
  TensorEntry entry;
  entry.name = name;
  if (!value.is_object()) refuse(file, "a tensor's entry is no object", place);
  entry.dtype = json_string(value, "dtype", file);
  const std::uint64_t width = bytes_per_element(entry.dtype);
  if (width == 0) refuse(file, fmt::format("unknown dtype \"{}\"", entry.dtype), place);
  if (!value.contains("shape") || !value["shape"].is_array() || !value.contains("data_offsets") ||
      !value["data_offsets"].is_array() || value["data_offsets"].size() != 2) {
    refuse(file, "a tensor's entry lacks its shape or its data_offsets", place);
  }
  std::uint64_t elements = 1;
  for (const nlohmann::json& dimension : value["shape"]) {
    if (!dimension.is_number_unsigned()) refuse(file, "a dimension is no whole number", place);
    const auto size = dimension.get<std::uint64_t>();
    if (__builtin_mul_overflow(elements, size, &elements) || size > data_bytes || elements > data_bytes) {
      refuse(file, "a tensor's shape asks for more bytes than the file has", place);
    }
    entry.shape.push_back(static_cast<std::int64_t>(size));
  }
  for (const nlohmann::json& offset : value["data_offsets"]) {
    if (!offset.is_number_unsigned()) refuse(file, "data_offsets are no whole numbers", place);
  }
  entry.begin = value["data_offsets"][0].get<std::uint64_t>();
  entry.end = value["data_offsets"][1].get<std::uint64_t>();
  if (entry.begin > entry.end || entry.end > data_bytes) refuse(file, "data_offsets lie outside the file", place);
  if (entry.end - entry.begin != elements * width) {
    refuse(file,
           fmt::format("the shape asks for {} bytes, data_offsets give {}", elements * width, entry.end - entry.begin),
           place);
  }
  return entry;
}

float widen_half(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1FU;
  const std::uint32_t mantissa = half & 0x3FFU;
  std::uint32_t bits = 0;
  if (exponent == 31) {
    bits = sign | 0x7F800000U | (mantissa << 13);
  } else if (exponent != 0) {
    bits = sign | ((exponent + 112) << 23) | (mantissa << 13);
  } else {  // zero or subnormal: mantissa * 2^-24
    const float value = static_cast<float>(mantissa) * 0x1p-24F;
    std::memcpy(&bits, &value, sizeof(bits));
    bits |= sign;
  }
  float result = 0.0F;
  std::memcpy(&result, &bits, sizeof(result));
  return result;
}

}  // namespace

struct SafetensorsFile::Mapping {
  void* address = MAP_FAILED;
  std::size_t size = 0;
  ~Mapping() {
    if (address != MAP_FAILED) munmap(address, size);
  }
};

std::int64_t TensorEntry::elements() const {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return count;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& file) : file_(file) {
  const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    throw system_error("cannot read the file", errno, {.file = file.string(), .place = {}, .advice = {}});
  struct stat status {};
  const bool known = fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  auto mapping = std::make_shared<Mapping>();
  if (known && status.st_size > static_cast<off_t>(kLengthBytes)) {
    mapping->size = static_cast<std::size_t>(status.st_size);
    mapping->address = mmap(nullptr, mapping->size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  }
  const int error_number = errno;
  close(descriptor);
  if (!known) refuse(file, "this is no file");
  if (mapping->size == 0) refuse(file, "the file is too short for a header");
  if (mapping->address == MAP_FAILED) {
    throw system_error("cannot map the file", error_number, {.file = file.string(), .place = {}, .advice = {}});
  }
  const auto* bytes = static_cast<const unsigned char*>(mapping->address);
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes, kLengthBytes);
  if (header_bytes > kLargestHeader || header_bytes > mapping->size - kLengthBytes) {
    refuse(file, fmt::format("the header says that it has {} bytes, the file has {}", header_bytes, mapping->size));
  }
  const std::string_view header(reinterpret_cast<const char*>(bytes) + kLengthBytes, header_bytes);
  const nlohmann::json parsed = parse_json(header, file);
  if (!parsed.is_object()) refuse(file, "the header is no JSON object");
  const std::uint64_t data_bytes = mapping->size - kLengthBytes - header_bytes;
  for (const auto& [name, value] : parsed.items()) {
    if (name != "__metadata__") {
      tensors_.push_back(parse_entry(file, name, value, data_bytes));
      continue;
    }
    if (!value.is_object()) refuse(file, "__metadata__ is no object");
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) refuse(file, "__metadata__ holds something else than strings");
      metadata_.emplace_back(key, text.get<std::string>());
    }
  }
  std::sort(tensors_.begin(), tensors_.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::uint64_t reached = 0;
  for (const TensorEntry& tensor : tensors_) {
    if (tensor.begin != reached)
      refuse(file, "tensors overlap or leave a gap", fmt::format("tensor \"{}\"", tensor.name));
    reached = tensor.end;
  }
  if (reached != data_bytes) refuse(file, fmt::format("the tensors have {} bytes, the file {}", reached, data_bytes));
  data_ = bytes + kLengthBytes + header_bytes;
  mapping_ = std::move(mapping);
}

const TensorEntry* SafetensorsFile::find(const std::string& name) const {
  const auto found =
      std::find_if(tensors_.begin(), tensors_.end(), [&](const TensorEntry& t) { return t.name == name; });
  return found == tensors_.end() ? nullptr : &*found;
}

void SafetensorsFile::read(const TensorEntry& tensor, std::span<float> out) const {
  const unsigned char* bytes = data_ + tensor.begin;
  const auto elements = static_cast<std::size_t>(tensor.elements());
  if (out.size() != elements)
    throw Error("a tensor was read into memory of another size",
                {.file = file_.string(), .place = tensor.name, .advice = {}});
  if (tensor.dtype == "F32") {
    if (elements > 0) std::memcpy(out.data(), bytes, elements * sizeof(float));
  } else if (tensor.dtype == "F64") {
    for (std::size_t i = 0; i < elements; ++i) {
      double value = 0.0;
      std::memcpy(&value, bytes + i * sizeof(value), sizeof(value));
      out[i] = static_cast<float>(value);
    }
  } else if (tensor.dtype == "BF16" || tensor.dtype == "F16") {
    for (std::size_t i = 0; i < elements; ++i) {
      std::uint16_t half = 0;
      std::memcpy(&half, bytes + 2 * i, sizeof(half));
      if (tensor.dtype == "F16") {
        out[i] = widen_half(half);
      } else {
        const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16;
        std::memcpy(&out[i], &bits, sizeof(bits));
      }
    }
  } else {
    throw Error(fmt::format("a tensor of dtype {} cannot be read as weights", tensor.dtype),
                {.file = file_.string(),
                 .place = fmt::format("tensor \"{}\"", tensor.name),
                 .advice = "Weights are F32, BF16 or F16."});
  }
}

void write_safetensors(const std::filesystem::path& file, const std::vector<TensorToWrite>& tensors,
                       const std::vector<std::pair<std::string, std::string>>& metadata) {
  nlohmann::ordered_json header;
  if (!metadata.empty()) {
    for (const auto& [key, value] : metadata) header["__metadata__"][key] = value;
  }
  std::uint64_t offset = 0;
  std::vector<std::uint64_t> sizes;
  std::vector<TensorToWrite> sorted = tensors;  // by name, as the safetensors library orders tensors of one type
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (const TensorToWrite& tensor : sorted) {
    std::uint64_t bytes = sizeof(float);
    for (const std::int64_t size : tensor.shape) bytes *= static_cast<std::uint64_t>(size);
    header[tensor.name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
    sizes.push_back(bytes);
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // so that the data is aligned
  AtomicFile writer(file);
  const std::uint64_t header_bytes = text.size();
  char length[kLengthBytes];
  std::memcpy(length, &header_bytes, kLengthBytes);
  writer.write({length, kLengthBytes});
  writer.write(text);
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    writer.write({reinterpret_cast<const char*>(sorted[i].data), sizes[i]});
  }
  writer.commit();
}

}  // namespace strider
