#include "io/checksum.h"

#include <zlib.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <vector>

#include "base/error.h"

namespace strider {
namespace {

constexpr std::array<std::uint32_t, 256> crc32c_table() {
  constexpr std::uint32_t kPolynomial = 0x82f63b78U;  // 0x1edc6f41 with its bits reversed
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t rest = byte;
    for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1) ^ ((rest & 1U) != 0 ? kPolynomial : 0U);
    table[byte] = rest;
  }
  return table;
}

constexpr std::array<std::uint32_t, 256> kCrc32cTable = crc32c_table();

}  // namespace

std::uint32_t crc32_of(std::span<const std::byte> bytes, std::uint32_t so_far) {
  return static_cast<std::uint32_t>(
      crc32_z(so_far, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

std::uint32_t crc32c_of(std::span<const std::byte> bytes, std::uint32_t so_far) {
  std::uint32_t sum = ~so_far;
  for (const std::byte byte : bytes) {
    sum = (sum >> 8) ^ kCrc32cTable[(sum ^ std::to_integer<std::uint32_t>(byte)) & 0xffU];
  }
  return ~sum;
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
