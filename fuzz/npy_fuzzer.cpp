// Within an .npz a checksum keeps most inputs from the .npy reader, so it has a fuzzer of its own.
#include "base/error.h"
#include "input_file.h"
#include "io/npy.h"

namespace {

template <typename T>
void read(const std::filesystem::path& file) {
  try {
    const strider::NpyArray<T> array = strider::read_npy<T>(file);
    std::size_t values = 1;
    for (const std::int64_t size : array.shape) values *= static_cast<std::size_t>(size);
    if (values != array.values.size()) __builtin_trap();
  } catch (const strider::Error&) {  // what a reader may do with a bad file
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const strider::fuzz::InputFile input(data, size);
  read<double>(input.path());
  read<std::int8_t>(input.path());
  return 0;
}
