#include "io/raw_array.h"

#include <fmt/format.h>

#include <algorithm>
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

template <typename From>
std::vector<double> converted(const RawArray& array) {
  std::vector<double> values(array.bytes.size() / sizeof(From));
  for (std::size_t i = 0; i < values.size(); ++i) {
    From value;
    std::memcpy(&value, array.bytes.data() + i * sizeof(From), sizeof(From));
    values[i] = static_cast<double>(value);
  }
  return values;
}

struct NumberType {
  std::string_view dtype;
  std::vector<double> (*convert)(const RawArray&);
};

constexpr NumberType kNumberTypes[] = {
    {"<f8", converted<double>},        {"<f4", converted<float>},         {"<i8", converted<std::int64_t>},
    {"<i4", converted<std::int32_t>},  {"<i2", converted<std::int16_t>},  {"|i1", converted<std::int8_t>},
    {"<u8", converted<std::uint64_t>}, {"<u4", converted<std::uint32_t>}, {"<u2", converted<std::uint16_t>},
    {"|u1", converted<std::uint8_t>},  {"|b1", converted<std::uint8_t>}};

void check_values(const RawArray& array, std::size_t values, const fs::path& file, const std::string& place) {
  if (values == array.size()) return;
  fail_on_array("The array has other bytes than its header asks for", file, place);
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
  const auto type = std::ranges::find(kNumberTypes, array.dtype, &NumberType::dtype);
  if (type == std::ranges::end(kNumberTypes)) {
    fail_on_array(fmt::format("Values of type {} are no numbers that are read here", array.dtype), file, place);
  }
  std::vector<double> values = type->convert(array);
  check_values(array, values.size(), file, place);
  return values;
}

std::vector<std::int64_t> as_integers(const RawArray& array, const fs::path& file, const std::string& place) {
  if (array.dtype == "<i8") {
    std::vector<std::int64_t> values(array.bytes.size() / sizeof(std::int64_t));
    check_values(array, values.size(), file, place);
    std::memcpy(values.data(), array.bytes.data(), values.size() * sizeof(std::int64_t));
    return values;
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
