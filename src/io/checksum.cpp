#include "io/checksum.h"

#include <zlib.h>

#include <cerrno>
#include <fstream>
#include <vector>

#include "base/error.h"

namespace strider {

std::uint32_t crc32_of(std::span<const std::byte> bytes, std::uint32_t so_far) {
  return static_cast<std::uint32_t>(
      crc32_z(so_far, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

std::uint32_t crc32_of_file(const std::filesystem::path& file) {
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  std::vector<std::byte> piece(1 << 20);
  std::uint32_t sum = 0;
  while (stream.good()) {
    stream.read(reinterpret_cast<char*>(piece.data()), static_cast<std::streamsize>(piece.size()));
    sum = crc32_of({piece.data(), static_cast<std::size_t>(stream.gcount())}, sum);
  }
  if (!stream.eof()) {
    throw system_error("cannot read the file", errno, {.file = file.string(), .place = {}, .advice = {}});
  }
  return sum;
}

}  // namespace strider
