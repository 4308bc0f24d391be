#include "io/record_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

#include "io/checksum.h"
#include "io/file_steps.h"

namespace strider {
namespace {

static_assert(std::endian::native == std::endian::little, "records are written as numbers lie in memory");

constexpr std::size_t kRecordLengthBytes = sizeof(std::uint64_t), kChecksumBytes = sizeof(std::uint32_t);
constexpr std::size_t kHeaderBytes = kRecordLengthBytes + kChecksumBytes;

std::uint32_t masked_crc32c(std::string_view bytes) {
  return std::rotr(crc32c_of(std::as_bytes(std::span(bytes))), 15) + 0xa282ead8U;
}

template <typename Number>
std::string bytes_of(Number number) {
  std::string bytes(sizeof(Number), '\0');
  std::memcpy(bytes.data(), &number, sizeof(Number));
  return bytes;
}

template <typename Number>
Number number_at(std::string_view bytes, std::size_t place) {
  Number number{};
  std::memcpy(&number, bytes.data() + place, sizeof(Number));
  return number;
}

// The record at the start of `bytes`, if it is whole.
std::optional<std::string_view> first_record(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes + kChecksumBytes) return std::nullopt;
  if (number_at<std::uint32_t>(bytes, kRecordLengthBytes) != masked_crc32c(bytes.substr(0, kRecordLengthBytes))) {
    return std::nullopt;
  }
  const auto length = number_at<std::uint64_t>(bytes, 0);
  if (length > bytes.size() - kHeaderBytes - kChecksumBytes) return std::nullopt;
  const std::string_view record = bytes.substr(kHeaderBytes, length);
  if (number_at<std::uint32_t>(bytes, kHeaderBytes + length) != masked_crc32c(record)) return std::nullopt;
  return record;
}

}  // namespace

RecordFile::RecordFile(std::filesystem::path file) : file_(std::move(file)) {
  std::error_code failure;
  if (file_.has_parent_path()) std::filesystem::create_directories(file_.parent_path(), failure);
  if (failure) fail_on_file("cannot make the folder", failure.value(), file_.parent_path());
  descriptor_ = open(file_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_on_file("cannot make the file", errno, file_);
}

RecordFile::~RecordFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

// One call, so that whoever follows the file sees whole records.
void RecordFile::append(std::string_view bytes) {
  const std::string length = bytes_of(static_cast<std::uint64_t>(bytes.size()));
  std::string record = length + bytes_of(masked_crc32c(length));
  record += bytes;
  record += bytes_of(masked_crc32c(bytes));
  write_all(descriptor_, record, file_);
}

void RecordFile::close() {
  if (descriptor_ < 0) return;
  if (::close(std::exchange(descriptor_, -1)) != 0) fail_on_file("cannot close the file", errno, file_);
}

std::vector<std::string> read_records(const std::filesystem::path& file) {
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(stream)), {});
  if (!stream.is_open() || stream.bad()) fail_on_file("cannot read the file", errno, file);
  std::vector<std::string> records;
  std::string_view rest = bytes;
  while (const auto record = first_record(rest)) {
    records.emplace_back(*record);
    rest.remove_prefix(kHeaderBytes + record->size() + kChecksumBytes);
  }
  return records;
}

}  // namespace strider
