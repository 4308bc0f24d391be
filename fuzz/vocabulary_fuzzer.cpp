#include <cstdlib>
#include <fstream>

#include "base/error.h"
#include "model/folder.h"

namespace {

// One folder for the whole run, under the name that read_token_ids looks for.
std::filesystem::path make_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "strider-fuzz-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) std::abort();
  return name;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path folder = make_folder();
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
