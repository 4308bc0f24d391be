#include "base/version.h"

#include <fmt/format.h>
#include <gnu/libc-version.h>

namespace strider {

std::string program_version() {
  return STRIDER_VERSION;
}

std::string compiler_version() {
  return STRIDER_COMPILER;
}

std::string build_type() {
  return STRIDER_BUILD_TYPE;
}

std::vector<LibraryVersion> base_libraries() {
  return {{"fmt", fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)},
          {"glibc", gnu_get_libc_version()}};
}

}  // namespace strider
