#include "data/libraries.h"

#include <arrow/config.h>

namespace strider {

std::vector<LibraryVersion> data_libraries() {
  return {{"Arrow", arrow::GetBuildInfo().version_string}};
}

}  // namespace strider
