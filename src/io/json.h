#pragma once
// JSON files, with errors that say where. Users of this header include <nlohmann/json.hpp> in their own .cpp.
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace strider {

/// Parses a whole file. Throws Error: no such file, not readable, broken JSON (line and column, both from 1).
nlohmann::json read_json(const std::filesystem::path& file);

/// Parses text that came from `file`; positions in errors count from the start of the text.
nlohmann::json parse_json(std::string_view text, const std::filesystem::path& file);

/// A field of an object, of the named type. Throws Error that names the file, the field and what is there.
std::int64_t json_integer(const nlohmann::json& object, const std::string& field, const std::filesystem::path& file);
double json_number(const nlohmann::json& object, const std::string& field, const std::filesystem::path& file);
bool json_boolean(const nlohmann::json& object, const std::string& field, const std::filesystem::path& file);
std::string json_string(const nlohmann::json& object, const std::string& field, const std::filesystem::path& file);

/// What an object's own field "crc32" must be: the CRC-32 of the object without it, as compact JSON with sorted keys.
std::uint32_t json_checksum(nlohmann::json object);

}  // namespace strider
