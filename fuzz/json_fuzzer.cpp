#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const nlohmann::json value = strider::parse_json({reinterpret_cast<const char*>(data), size}, "input.json");
    strider::json_integer(value, "vocab_size", "input.json");
  } catch (const strider::Error&) {  // what a reader may do with a bad file
  }
  return 0;
}
