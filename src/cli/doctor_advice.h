#pragma once
// What would make runs faster, or keep them from failing, on a machine.
#include <string>
#include <vector>

#include "base/machine_facts.h"

namespace strider::cli {

/// Floating-point operations per second of all threads.
struct MeasuredSpeed {
  double multiply_adds = 0.0;      // float32 in registers: the most that there is
  double products_float32 = 0.0;   // the engine's matrix products
  double products_bfloat16 = 0.0;  // the same with PRECISION=bfloat16
};

/// Whole sentences, the most useful first; none where nothing is to be gained.
std::vector<std::string> doctor_advice(const MachineFacts& facts, const MeasuredSpeed& speed,
                                       const std::string& build_type);

}  // namespace strider::cli
