#include "io/json.h"

#include <fmt/format.h>

#include <cerrno>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/checksum.h"

namespace strider {
namespace {

// Far above anything that Strider or its peers write; a file past it is not one of theirs.
constexpr std::uintmax_t kLargestFile = 1ULL << 30;
// nlohmann's parser keeps its own stack, but its values are destroyed by recursion.
constexpr int kDeepest = 500;

struct Place {
  std::size_t line = 1;
  std::size_t column = 1;
};

Place place_of(std::string_view text, std::size_t offset) {
  Place place;
  for (std::size_t i = 0; i < std::min(offset, text.size()); ++i) {
    if (text[i] == '\n') {
      ++place.line;
      place.column = 1;
    } else {
      ++place.column;
    }
  }
  return place;
}

std::string describe(Place place) {
  return fmt::format("line {}, column {}", place.line, place.column);
}

void refuse_deep_nesting(std::string_view text, const std::filesystem::path& file) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kDeepest) {
        throw Error(fmt::format("JSON nested more than {} levels deep", kDeepest),
                    {.file = file.string(),
                     .place = describe(place_of(text, i)),
                     .advice = "Check where this file comes from."});
      }
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
}

// Where parsing failed. Not every exception of the library says it: a number too large for a double does not.
class FailurePlace : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::size_t offset = 0;
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    offset = position > 0 ? position - 1 : 0;
    return false;
  }
};

// The library's reason without its own numbering of errors and places; nothing where it repeats a long text.
std::string reason_of(const nlohmann::json::exception& error) {
  std::string reason = error.what();
  for (const char* prefix : {"] ", ": "}) {
    const bool says_place = std::string_view(prefix) == "] " || reason.starts_with("parse error at ");
    const std::size_t at = reason.find(prefix);
    if (says_place && at != std::string::npos) reason.erase(0, at + 2);
  }
  return reason.size() > 160 ? std::string() : ": " + reason;
}

const nlohmann::json& field_of(const nlohmann::json& object, const std::string& field,
                               const std::filesystem::path& file) {
  if (!object.is_object()) {
    throw Error("expected a JSON object",
                {.file = file.string(), .place = {}, .advice = "Check where this file comes from."});
  }
  const auto found = object.find(field);
  if (found == object.end()) {
    throw Error(fmt::format("the field \"{}\" is missing", field), {.file = file.string(), .place = {}, .advice = {}});
  }
  return *found;
}

[[noreturn]] void wrong_type(const nlohmann::json& value, const std::string& field, const std::filesystem::path& file,
                             const char* wanted) {
  std::string shown = value.dump();
  if (shown.size() > 60) shown = shown.substr(0, 60) + "...";
  throw Error(fmt::format("the field \"{}\" is {}, where {} is expected", field, shown, wanted),
              {.file = file.string(), .place = {}, .advice = {}});
}

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::filesystem::path& file) {
  refuse_deep_nesting(text, file);
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    FailurePlace failure;
    nlohmann::json::sax_parse(text, &failure);
    throw Error("broken JSON" + reason_of(error), {.file = file.string(),
                                                   .place = describe(place_of(text, failure.offset)),
                                                   .advice = "Mend the file there, or make it anew."});
  }
}

nlohmann::json read_json(const std::filesystem::path& file) {
  std::error_code status;
  const std::uintmax_t size = std::filesystem::file_size(file, status);
  if (status)
    throw system_error("cannot read the file", status.value(), {.file = file.string(), .place = {}, .advice = {}});
  if (size > kLargestFile) {
    throw Error(fmt::format("the file has {} bytes, too many for JSON of this kind", size),
                {.file = file.string(), .place = {}, .advice = "Check where this file comes from."});
  }
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  std::string text(static_cast<std::size_t>(size), '\0');
  stream.read(text.data(), static_cast<std::streamsize>(size));
  if (static_cast<std::uintmax_t>(stream.gcount()) != size) {
    throw system_error("cannot read the file", errno, {.file = file.string(), .place = {}, .advice = {}});
  }
  return parse_json(text, file);
}

std::int64_t json_integer(const nlohmann::json& object, const std::string& field, const std::filesystem::path& file) {
  const nlohmann::json& value = field_of(object, field, file);
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
    wrong_type(value, field, file, "a whole number");
  }
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_number_float()) {
    const double number = value.get<double>();
    if (std::abs(number) < 9e15 && number == std::floor(number)) return static_cast<std::int64_t>(number);
  }
  wrong_type(value, field, file, "a whole number");
}

double json_number(const nlohmann::json& object, const std::string& field, const std::filesystem::path& file) {
  const nlohmann::json& value = field_of(object, field, file);
  if (!value.is_number()) wrong_type(value, field, file, "a number");
  return value.get<double>();
}

bool json_boolean(const nlohmann::json& object, const std::string& field, const std::filesystem::path& file) {
  const nlohmann::json& value = field_of(object, field, file);
  if (!value.is_boolean()) wrong_type(value, field, file, "true or false");
  return value.get<bool>();
}

std::string json_string(const nlohmann::json& object, const std::string& field, const std::filesystem::path& file) {
  const nlohmann::json& value = field_of(object, field, file);
  if (!value.is_string()) wrong_type(value, field, file, "a string");
  return value.get<std::string>();
}

std::uint32_t json_checksum(nlohmann::json object) {
  object.erase("crc32");
  const std::string text = object.dump();
  return crc32_of(std::as_bytes(std::span(text)));
}

}  // namespace strider
