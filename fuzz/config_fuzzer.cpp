#include "base/error.h"
#include "input_file.h"
#include "model/config.h"
#include "model/parameters.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const strider::fuzz::InputFile input(data, size);
  try {
    const strider::LlamaConfig config = strider::read_config(input.path(), 1200);
    const strider::ParameterLayout layout(config);
    if (layout.total() <= 0) __builtin_trap();
    if (strider::config_json(config).empty()) __builtin_trap();
  } catch (const strider::Error&) {  // what a reader may do with a bad file
  }
  return 0;
}
