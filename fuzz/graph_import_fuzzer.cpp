#include "base/error.h"
#include "graph_import/graph_import.h"
#include "input_file.h"
#include "use_graph.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const strider::fuzz::InputFile input(data, size);
  try {
    const strider::ImportedGraph imported = strider::import_graph({.from = input.path(), .directed = {}});
    if (imported.graph.size() > 10'000) return 0;  // a size line alone makes many nodes
    if (!imported.names.empty() && imported.names.size() != imported.graph.size()) __builtin_trap();
    strider::WalkSettings settings;
    settings.start = strider::StartRule::kUniform;
    strider::fuzz::use_graph(imported.graph, settings);
  } catch (const strider::Error&) {  // what a reader may do with a bad file
  }
  return 0;
}
