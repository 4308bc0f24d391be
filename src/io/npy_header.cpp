#include "io/npy_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/error.h"

namespace strider {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kAlignment = 64;  // numpy.lib.format.ARRAY_ALIGN
constexpr std::size_t kRowDigits = 21;  // room that numpy leaves for more rows (GROWTH_AXIS_MAX_DIGITS)

[[noreturn]] void fail(const std::string& message, const std::filesystem::path& file, const std::string& place) {
  throw Error(message, {.file = file.string(), .place = place, .advice = "Write the array again with numpy.save."});
}

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// A reader of the few Python literals that a header is made of.
class Literals {
 public:
  explicit Literals(std::string_view text) : text_(text) {}

  bool take(char c) {
    skip_spaces();
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  bool string(std::string& value) {
    skip_spaces();
    if (text_.empty() || (text_.front() != '\'' && text_.front() != '"')) return false;
    const std::size_t end = text_.find(text_.front(), 1);
    if (end == std::string_view::npos) return false;
    value = text_.substr(1, end - 1);
    text_.remove_prefix(end + 1);
    return true;
  }

  bool boolean(bool& value) {
    skip_spaces();
    for (const std::string_view word : {"True", "False"}) {
      if (!text_.starts_with(word)) continue;
      value = word == "True";
      text_.remove_prefix(word.size());
      return true;
    }
    return false;
  }

  bool integers(std::vector<std::int64_t>& values) {
    if (!take('(')) return false;
    values.clear();
    while (!take(')')) {
      skip_spaces();
      std::int64_t value = 0;
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
      if (error != std::errc() || value < 0) return false;
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      values.push_back(value);
      if (!take(',') && !text_.starts_with(')')) return false;
    }
    return true;
  }

  bool at_end() {
    skip_spaces();
    return text_.empty();
  }

 private:
  void skip_spaces() { text_.remove_prefix(std::min(text_.find_first_not_of(" \n"), text_.size())); }

  std::string_view text_;
};

bool parse_dictionary(std::string_view text, NpyHeader& header) {
  Literals literals(text);
  bool has_dtype = false;
  bool has_order = false;
  bool has_shape = false;
  if (!literals.take('{')) return false;
  while (!literals.take('}')) {
    std::string key;
    if (!literals.string(key) || !literals.take(':')) return false;
    if (key == "descr") {
      has_dtype = literals.string(header.dtype);
    } else if (key == "fortran_order") {
      has_order = literals.boolean(header.fortran_order);
    } else if (key == "shape") {
      has_shape = literals.integers(header.shape);
    } else {
      return false;
    }
    if (!literals.take(',')) {
      if (!literals.take('}')) return false;
      break;
    }
  }
  return has_dtype && has_order && has_shape && literals.at_end();
}

}  // namespace

std::string npy_header(std::string_view dtype, const std::vector<std::int64_t>& shape) {
  std::string numbers;
  for (const std::int64_t size : shape) numbers += fmt::format("{}{}", numbers.empty() ? "" : ", ", size);
  if (shape.size() == 1) numbers += ",";
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", dtype, numbers);
  if (!shape.empty()) text.append(kRowDigits - fmt::formatted_size("{}", shape.front()), ' ');
  const std::size_t before = kMagic.size() + 4;
  text.append(kAlignment - (before + text.size() + 1) % kAlignment, ' ');
  text += '\n';
  if (text.size() > std::numeric_limits<std::uint16_t>::max()) {
    throw Error("A .npy header of version 1.0 has no room for this shape");
  }
  std::string bytes(kMagic);
  bytes += {'\1', '\0', static_cast<char>(text.size() & 255), static_cast<char>(text.size() >> 8)};
  return bytes + text;
}

std::uint64_t npy_header_bytes(std::string_view start, const std::filesystem::path& file, const std::string& place) {
  if (start.size() < kMagic.size() + 4 || !start.starts_with(kMagic)) fail("This is not a .npy array", file, place);
  const int version = static_cast<unsigned char>(start[kMagic.size()]);
  if (version < 1 || version > 3) {
    fail(fmt::format("A .npy array of version {} is not known here", version), file, place);
  }
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  const std::size_t before = kMagic.size() + 2 + length_bytes;
  if (start.size() < before) fail("The .npy header is cut off", file, place);
  return before + little_endian(start.substr(kMagic.size() + 2, length_bytes));
}

ParsedNpyHeader parse_npy_header(std::string_view start, const std::filesystem::path& file, const std::string& place) {
  ParsedNpyHeader parsed;
  parsed.bytes = npy_header_bytes(start, file, place);
  if (start.size() < parsed.bytes) fail("The .npy header is cut off", file, place);
  const std::size_t before = kMagic.size() + (start[kMagic.size()] == 1 ? 4 : 6);
  if (!parse_dictionary(start.substr(before, parsed.bytes - before), parsed.header)) {
    fail("The .npy header is not a dictionary of descr, fortran_order and shape", file, place);
  }
  parsed.count = 1;
  for (const std::int64_t size : parsed.header.shape) {
    const auto factor = static_cast<std::uint64_t>(size);
    if (factor != 0 && parsed.count > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / factor) {
      fail("The .npy header gives a shape with too many values", file, place);
    }
    parsed.count *= factor;
  }
  return parsed;
}

}  // namespace strider
