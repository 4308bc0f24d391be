#pragma once
// Base64 (RFC 4648, section 4) of arrays, as the page's data carries them.
#include <cstddef>
#include <span>
#include <string>

namespace strider {

std::string base64(std::span<const std::byte> bytes);

/// Of the bytes of the values, which are little-endian on every machine that Strider runs on.
template <typename T>
std::string base64_of(std::span<const T> values) {
  return base64(std::as_bytes(values));
}

}  // namespace strider
