#include "report/libraries.h"

#include <fmt/format.h>

#if STRIDER_HAS_PROTOBUF
#include <google/protobuf/stubs/common.h>
#endif

namespace strider {

std::vector<LibraryVersion> report_libraries() {
#if STRIDER_HAS_PROTOBUF
  return {{"protobuf", google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION)}};
#else
  return {{"protobuf", "none"}};
#endif
}

}  // namespace strider
