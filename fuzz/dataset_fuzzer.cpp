// The JSON files of a dataset folder, with NUL bytes between them: vocab_info.json, dataset_dict.json, train/state.json
// and train/dataset_info.json. No name in them may lead out of the folder, so there is never a walk to be read.
#include "base/error.h"
#include "data/walk_dataset.h"
#include "scratch_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path folder = [] {
    const std::filesystem::path made = strider::fuzz::make_scratch_folder();
    std::filesystem::create_directory(made / "train");
    return made;
  }();
  std::string_view input(reinterpret_cast<const char*>(data), size);
  for (const char* name : {"vocab_info.json", "dataset_dict.json", "train/state.json", "train/dataset_info.json"}) {
    strider::fuzz::write_file(folder / name, strider::fuzz::take_file(input));
  }
  try {
    strider::open_dataset(folder);
    __builtin_trap();
  } catch (const strider::Error&) {  // what a reader may do with a bad file
  }
  return 0;
}
