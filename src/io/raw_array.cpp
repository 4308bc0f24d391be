#include "io/raw_array.h"

#include <fmt/format.h>

#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "io/npy_header.h"

namespace strider {
namespace {

static_assert(std::endian::native == std::endian::little, "values are taken from the file as they are");

namespace fs = std::filesystem;

[[noreturn]] void fail_on_array(const std::string& message, const fs::path& file, const std::string& place) {
  throw Error(message, {.file = file.string(), .place = place, .advice = {}});
}

template <typename To, typename From>
std::vector<To> converted(const RawArray& array) {
  std::vector<To> values(array.bytes.size() / sizeof(From));
  for (std::size_t i = 0; i < values.size(); ++i) {
    From value;
    std::memcpy(&value, array.bytes.data() + i * sizeof(From), sizeof(From));
    values[i] = static_cast<To>(value);
  }
  return values;
}

}  // namespace

std::uint64_t RawArray::size() const {
  std::uint64_t size = 1;
  for (const std::int64_t dimension : shape) size *= static_cast<std::uint64_t>(dimension);
  return size;
}

RawArray read_raw_npy(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw system_error("Cannot read the array", errno, {.file = file.string(), .place = {}, .advice = {}});
  std::ostringstream all;
  all << stream.rdbuf();
  std::string bytes = std::move(all).str();
  const ParsedNpyHeader parsed = parse_npy_header(bytes, file, "the header");
  RawArray array{.dtype = parsed.header.dtype,
                 .fortran_order = parsed.header.fortran_order,
                 .shape = parsed.header.shape,
                 .bytes = bytes.substr(parsed.bytes)};
  const std::uint64_t width = parsed.count == 0 ? 1 : array.bytes.size() / parsed.count;
  if (array.bytes.size() != width * parsed.count)
    fail_on_array("The array has other bytes than its header asks for", file, {});
  return array;
}

std::vector<double> as_doubles(const RawArray& array, const fs::path& file, const std::string& place) {
  std::vector<double> values;
  const std::string& type = array.dtype;
  if (type == "<f8")
    values = converted<double, double>(array);
  else if (type == "<f4")
    values = converted<double, float>(array);
  else if (type == "<i8")
    values = converted<double, std::int64_t>(array);
  else if (type == "<i4")
    values = converted<double, std::int32_t>(array);
  else if (type == "<i2")
    values = converted<double, std::int16_t>(array);
  else if (type == "|i1")
    values = converted<double, std::int8_t>(array);
  else if (type == "<u8")
    values = converted<double, std::uint64_t>(array);
  else if (type == "<u4")
    values = converted<double, std::uint32_t>(array);
  else if (type == "<u2")
    values = converted<double, std::uint16_t>(array);
  else if (type == "|u1" || type == "|b1")
    values = converted<double, std::uint8_t>(array);
  else
    fail_on_array(fmt::format("Values of type {} are no numbers that are read here", type), file, place);
  if (values.size() != array.size()) fail_on_array("The array has other bytes than its header asks for", file, place);
  return values;
}

std::vector<std::int64_t> as_integers(const RawArray& array, const fs::path& file, const std::string& place) {
  if (array.dtype == "<i8") {
    if (array.bytes.size() != array.size() * sizeof(std::int64_t)) {
      fail_on_array("The array has other bytes than its header asks for", file, place);
    }
    return converted<std::int64_t, std::int64_t>(array);
  }
  constexpr double kMost = 9007199254740992.0;  // 2^53
  std::vector<std::int64_t> integers;
  for (const double value : as_doubles(array, file, place)) {
    if (!(std::abs(value) < kMost) || value != std::floor(value)) {
      fail_on_array(fmt::format("{} is no whole number", value), file, place);
    }
    integers.push_back(static_cast<std::int64_t>(value));
  }
  return integers;
}

std::string as_text(const RawArray& array, const fs::path& file, const std::string& place) {
  if (array.dtype.starts_with("|S")) return array.bytes.substr(0, array.bytes.find('\0'));
  if (!array.dtype.starts_with("<U"))
    fail_on_array(fmt::format("Values of type {} are no text", array.dtype), file, place);
  std::string text;
  for (std::size_t i = 0; i + 3 < array.bytes.size() && array.bytes[i] != '\0'; i += 4) text += array.bytes[i];
  return text;
}

}  // namespace strider
