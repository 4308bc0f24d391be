#include "engine/libraries.h"

#include <fmt/format.h>
#include <hwy/highway.h>

#if STRIDER_HAS_XSMM
#include <libxsmm_version.h>
#endif

namespace strider {

std::vector<LibraryVersion> engine_libraries() {
#if STRIDER_HAS_XSMM
  const std::string xsmm = LIBXSMM_CONFIG_VERSION;
#else
  const std::string xsmm = "none";
#endif
  return {{"Highway", fmt::format("{}.{}.{}", HWY_MAJOR, HWY_MINOR, HWY_PATCH)}, {"libxsmm", xsmm}};
}

}  // namespace strider
