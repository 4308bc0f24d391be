#pragma once
// What this room is built on, with versions (base/version.h).
#include <vector>

#include "base/version.h"

namespace strider {

std::vector<LibraryVersion> io_libraries();

}  // namespace strider
