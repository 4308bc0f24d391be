#include "base/error.h"
#include "graph/graph_folder.h"
#include "input_file.h"
#include "use_graph.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const strider::fuzz::InputFile input(data, size);
  try {
    strider::fuzz::use_graph(strider::read_labeled_adjacency(input.path()), {});
  } catch (const strider::Error&) {  // what a reader may do with a bad file
  }
  return 0;
}
