#include "extract/earlier.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/exists.h"
#include "extract/output.h"
#include "io/json.h"
#include "io/npz.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kFloatsAtOnce = 1 << 18;

[[noreturn]] void fail(const std::string& message, const fs::path& file) {
  throw Error(message, {.file = file.string(), .place = {}, .advice = {}});
}

std::vector<Representation> types_of(const json& info, const fs::path& file) {
  std::vector<std::string> names;
  for (const json& name : info.value("representations_extracted", json::array())) {
    if (!name.is_string()) fail("the types in \"representations_extracted\" are no names", file);
    names.push_back(name.get<std::string>());
  }
  const std::vector<Representation> recorded = parse_representations(names);
  std::vector<Representation> ordered;
  for (const RepresentationType& type : representation_types()) {
    if (std::ranges::find(recorded, type.what) != recorded.end()) ordered.push_back(type.what);
  }
  return ordered;
}

// Reading to its end compares an array with its checksum in the archive.
void read_through(const fs::path& file, const std::string& name) {
  NpzFloatReader reader(file, name);
  std::vector<float> piece(kFloatsAtOnce);
  while (reader.left() > 0) {
    reader.read(std::span(piece).first(std::min<std::uint64_t>(piece.size(), reader.left())));
  }
}

void check_arrays(const fs::path& file, const json& checksums, const std::vector<TokenArray>& arrays,
                  const std::vector<std::int64_t>& rows) {
  const std::vector<NpzEntry> entries = read_npz_entries(file);
  for (const TokenArray& array : arrays) {
    const auto entry = std::ranges::find(entries, array.name, &NpzEntry::name);
    if (entry == entries.end()) fail(fmt::format("the array {} is missing", array.name), file);
    std::vector<std::int64_t> shape = rows;
    shape.push_back(array.width);
    if (entry->shape != shape) {
      fail(fmt::format("the array {} has another shape than it was written with", array.name), file);
    }
    if (checksums.value(array.name, "") != array_checksum(*entry)) {
      fail(fmt::format("the array {} is not the one that {} describes", array.name, kInfoFile), file);
    }
    read_through(file, array.name);
  }
}

}  // namespace

EarlierExtraction read_earlier(const fs::path& folder, const LlamaConfig& config, const ModelFingerprint& now,
                               std::int64_t tokens, std::int64_t per_token) {
  EarlierExtraction earlier;
  const fs::path info_file = folder / kInfoFile;
  try {
    if (!path_exists(info_file)) {
      earlier.mismatch = fmt::format("there is no {} that says of which model they are", kInfoFile);
      return earlier;
    }
    const json info = read_json(info_file);
    const json fingerprint = info.is_object() ? info.value("fingerprint", json()) : json();
    if (!fingerprint.is_object()) {
      earlier.mismatch = fmt::format("{} has no fingerprint of the model that they are of", kInfoFile);
      return earlier;
    }
    earlier.mismatch = differences(fingerprint, now);
    if (!earlier.mismatch.empty()) return earlier;
    for (const char* file : {kMetadataFile, kSummaryFile}) read_json(folder / file);
    const std::vector<Representation> types = types_of(info, info_file);
    const std::vector<TokenArray> arrays = list_token_arrays(config, types);
    check_arrays(folder / kArraysFile, fingerprint.value("arrays", json::object()), arrays, {tokens});
    earlier.has_raw = fingerprint.contains("raw_arrays");
    if (earlier.has_raw) check_arrays(folder / kRawFile, fingerprint["raw_arrays"], arrays, {tokens, per_token});
    earlier.types = types;
  } catch (const Error& error) {
    earlier.mismatch = fmt::format("{} ({})", error.message(), fs::path(error.details().file).filename().string());
  } catch (const json::exception& error) {
    earlier.mismatch = fmt::format("{} is damaged ({})", kInfoFile, error.what());
  }
  return earlier;
}

}  // namespace strider
