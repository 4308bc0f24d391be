#include "base/error.h"
#include "input_file.h"
#include "io/npz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const strider::fuzz::InputFile input(data, size);
  try {
    for (const strider::NpzEntry& entry : strider::read_npz_entries(input.path())) {
      strider::read_npz_floats(input.path(), entry.name);
    }
  } catch (const strider::Error&) {  // what a reader may do with a bad file
  }
  return 0;
}
