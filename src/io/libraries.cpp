#include "io/libraries.h"

#include <fmt/format.h>
#include <zip.h>
#include <zlib.h>

#include <nlohmann/json_fwd.hpp>

namespace strider {

std::vector<LibraryVersion> io_libraries() {
  return {{"libzip", zip_libzip_version()},
          {"nlohmann/json", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
                                        NLOHMANN_JSON_VERSION_PATCH)},
          {"zlib", zlibVersion()}};
}

}  // namespace strider
