// strider_state.json of a checkpoint that has no other file. Its checksum is put right, so that an input gets past it.
#include <nlohmann/json.hpp>
#include <span>

#include "base/error.h"
#include "io/checksum.h"
#include "scratch_folder.h"
#include "train/checkpoint.h"

namespace {

std::string with_checksum(std::string_view text) {
  nlohmann::json object = nlohmann::json::parse(text, nullptr, false);
  if (!object.is_object()) return std::string(text);
  object.erase("crc32");
  const std::string plain = object.dump();
  object["crc32"] = strider::crc32_of(std::as_bytes(std::span(plain)));
  return object.dump();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path folder = strider::fuzz::make_scratch_folder();
  static const strider::ParameterLayout layout{strider::LlamaConfig{}};
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  strider::fuzz::write_file(folder / "strider_state.json", with_checksum(input));
  try {
    strider::checkpoint_settings(folder);
    strider::read_checkpoint(folder, layout, {});
    __builtin_trap();                // there are no weights
  } catch (const strider::Error&) {  // what a reader may do with a bad file
  }
  return 0;
}
