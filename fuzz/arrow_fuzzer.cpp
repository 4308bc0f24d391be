#include <fstream>

#include "base/error.h"
#include "data/walk_dataset.h"
#include "scratch_folder.h"

namespace {

std::filesystem::path make_folder() {
  const std::filesystem::path folder = strider::fuzz::make_scratch_folder();
  std::ofstream(folder / "vocab_info.json") << R"({"vocab_size": 12, "min_id": 0, "max_id": 11})";
  std::ofstream(folder / "state.json") << R"({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]})";
  return folder;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path folder = make_folder();
  std::ofstream(folder / "data-00000-of-00001.arrow", std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  try {
    const strider::WalkDataset dataset = strider::open_dataset(folder);
    std::vector<std::int32_t> ids(16);
    for (std::int64_t walk = 0; walk < dataset.train.size(); ++walk) {
      const std::size_t count = dataset.train.read(walk, ids);
      for (std::size_t i = 0; i < count; ++i) {
        if (ids[i] < 0 || ids[i] >= 12) __builtin_trap();
      }
      if (dataset.train.length(walk) < 1) __builtin_trap();
      dataset.train.walk_id(walk);
    }
    dataset.train.tokens(8);
  } catch (const strider::Error&) {  // what a reader may do with a bad file
  }
  return 0;
}
