#include <filesystem>

#include "base/error.h"
#include "data/walk_import.h"
#include "data/walks_csv.h"
#include "input_file.h"
#include "scratch_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const strider::fuzz::InputFile input(data, size);
  static const std::filesystem::path folder = strider::fuzz::make_scratch_folder();
  const std::filesystem::path csv = folder / "walks.csv";
  try {
    const strider::ImportedWalks imported = strider::import_walks(input.path(), "", csv);
    // What was made of it is what the next step reads.
    const strider::WalksCsv walks(csv);
    if (walks.size() != imported.walks) __builtin_trap();
    if (!imported.names.empty() && walks.max_id() + 1 != std::ssize(imported.names)) __builtin_trap();
  } catch (const strider::Error&) {  // what a reader may do with a bad file
  }
  return 0;
}
