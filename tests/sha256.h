#pragma once
// The SHA-256 of bytes, from coreutils' sha256sum.
#include <array>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "golden.h"

namespace strider::test {

inline std::string sha256_of_file(const std::filesystem::path& file) {
  const std::unique_ptr<FILE, int (*)(FILE*)> output(popen(("sha256sum < '" + file.string() + "'").c_str(), "r"),
                                                     pclose);
  std::array<char, 65> digits{};
  if (!output || std::fread(digits.data(), 1, 64, output.get()) != 64) {
    throw std::runtime_error("sha256sum gave no sum of " + file.string());
  }
  return digits.data();
}

inline std::string sha256(std::string_view bytes) {
  const ScratchFolder scratch;
  return sha256_of_file(scratch.write("bytes", std::string(bytes)));
}

}  // namespace strider::test
