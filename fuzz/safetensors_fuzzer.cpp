#include "base/error.h"
#include "input_file.h"
#include "io/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const strider::fuzz::InputFile input(data, size);
  try {
    const strider::SafetensorsFile file(input.path());
    for (const strider::TensorEntry& tensor : file.tensors()) {
      std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
      file.read(tensor, values);
    }
  } catch (const strider::Error&) {  // what a reader may do with a bad file
  }
  return 0;
}
