// A build without GPU code.
#include "base/error.h"
#include "engine/choose_device.h"
#include "engine/node_pairs.h"

namespace strider {
namespace {

constexpr const char* kWhy = "this program was built without GPU code (make build GPU=1)";

}  // namespace

std::optional<std::string> cuda_obstacle(const LlamaConfig& /*config*/, const EngineSettings& /*settings*/) {
  return kWhy;
}

std::uint64_t cuda_bytes_for_walks(const LlamaConfig& /*config*/, const EngineSettings& /*settings*/) {
  return 0;
}

std::string cuda_device_name() {
  return "no GPU";
}

std::optional<std::string> cuda_node_pairs_obstacle(const NodePairsLimits& /*limits*/) {
  return kWhy;
}

std::unique_ptr<NodePairs> make_cuda_node_pairs(const PairedNodes& /*nodes*/, const NodePairsLimits& /*limits*/) {
  throw Error(kWhy);
}

std::unique_ptr<Engine> make_cuda_engine(const LlamaConfig& /*config*/, const EngineSettings& /*settings*/) {
  throw Error(kWhy);
}

}  // namespace strider
