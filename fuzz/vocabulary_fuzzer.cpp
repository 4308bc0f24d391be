#include <fstream>

#include "base/error.h"
#include "model/folder.h"
#include "scratch_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path folder = strider::fuzz::make_scratch_folder();
  std::ofstream(folder / "vocab.json", std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  try {
    for (const std::int64_t id : strider::read_token_ids(folder, 48)) {
      if (id < 0 || id >= 48) __builtin_trap();
    }
  } catch (const strider::Error&) {  // what a reader may do with a bad file
  }
  return 0;
}
