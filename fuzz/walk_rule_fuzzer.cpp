#include "base/error.h"
#include "graph/best_loss.h"
#include "input_file.h"
#include "use_graph.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const strider::fuzz::InputFile input(data, size);
  try {
    const strider::RuledGraph ruled = strider::read_walk_rule(input.path());
    if (strider::walk_rule_json(ruled.rule).empty()) __builtin_trap();
    strider::fuzz::use_graph(ruled.graph, ruled.rule.settings);
  } catch (const strider::Error&) {  // what a reader may do with a bad file
  }
  return 0;
}
