#include "base/error.h"
#include "data/walks_csv.h"
#include "input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const strider::fuzz::InputFile input(data, size);
  try {
    const strider::WalksCsv walks(input.path());
    std::int64_t tokens = 0;
    for (std::int64_t walk = 0; walk < walks.size(); ++walk) {
      if (walks.length(walk) < 1) __builtin_trap();
      std::vector<std::int32_t> ids(static_cast<std::size_t>(walks.length(walk)));
      walks.read(walk, ids);
      for (const std::int32_t id : ids) {
        if (id < walks.min_id() || id > walks.max_id() || id < 0) __builtin_trap();
      }
      tokens += walks.length(walk);
    }
    if (tokens != walks.tokens()) __builtin_trap();
  } catch (const strider::Error&) {  // what a reader may do with a bad file
  }
  return 0;
}
