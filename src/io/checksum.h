#pragma once
// CRC-32 (as in zip and PNG), to notice files that are not what was written, and CRC-32C for the formats that ask for
// it.
#include <cstdint>
#include <filesystem>
#include <span>

namespace strider {

/// Goes on from `so_far` (0 at the start) over more bytes.
std::uint32_t crc32_of(std::span<const std::byte> bytes, std::uint32_t so_far = 0);

/// The same of CRC-32C (Castagnoli; RFC 3720, appendix B.4 has test vectors). A table of bytes: for short records.
std::uint32_t crc32c_of(std::span<const std::byte> bytes, std::uint32_t so_far = 0);

/// CRC-32 of a whole file. Throws Error when it cannot be read.
std::uint32_t crc32_of_file(const std::filesystem::path& file);

}  // namespace strider
