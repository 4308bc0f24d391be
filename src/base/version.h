#pragma once
// What this program is made of.
#include <string>
#include <vector>

namespace strider {

struct LibraryVersion {
  std::string name;
  std::string version;  // "none" where the program was built without it
};

/// "0.1.0"
std::string program_version();
/// "GNU 12.2.0"
std::string compiler_version();
/// What CMake was asked for: "Release", "Debug" ...
std::string build_type();

/// The libraries that this room uses. Every room that uses one of its own has such a function in its libraries.h; the
/// version is that of the library that runs, where it can be asked, else that of the headers.
std::vector<LibraryVersion> base_libraries();

}  // namespace strider
