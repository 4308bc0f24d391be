#include "geometry/libraries.h"

#include <fmt/format.h>

#include <Eigen/Core>

namespace strider {

std::vector<LibraryVersion> geometry_libraries() {
  return {{"Eigen", fmt::format("{}.{}.{}", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION)}};
}

}  // namespace strider
