// Two files, with a NUL byte between them: trainer_state.json, and the object "state" of strider_state.json.
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/json.h"
#include "scratch_folder.h"
#include "train/log.h"
#include "train/trainer_state.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path folder = strider::fuzz::make_scratch_folder();
  std::string_view input(reinterpret_cast<const char*>(data), size);
  strider::fuzz::write_file(folder / "trainer_state.json", strider::fuzz::take_file(input));
  try {
    const nlohmann::json exact = strider::parse_json(input, folder / "strider_state.json");
    strider::TrainerState state =
        strider::read_state(folder / "trainer_state.json", exact, folder / "strider_state.json");
    if (state.global_step > state.last_logged_step) strider::log_training(state, 1.0, 1e-3);
    if (strider::trainer_state_json(state, {}, {}).empty() || !strider::exact_state(state).is_object()) {
      __builtin_trap();
    }
  } catch (const strider::Error&) {  // what a reader may do with a bad file
  }
  return 0;
}
