#pragma once
// Files of checksummed records, one after the other, as TensorFlow and TensorBoard read them (TFRecord): length as
// 8 bytes, masked CRC-32C of these, the bytes, masked CRC-32C of the bytes; numbers are little-endian. The mask is
// rotate_right(crc, 15) + 0xa282ead8. See https://www.tensorflow.org/tutorials/load_data/tfrecord.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace strider {

class RecordFile {
 public:
  /// Makes the file and the folders above it. Throws Error, also when the file exists.
  explicit RecordFile(std::filesystem::path file);
  ~RecordFile();
  RecordFile(const RecordFile&) = delete;
  RecordFile& operator=(const RecordFile&) = delete;

  /// On return the record is in the file, so that the end of the process does not lose it. Throws Error.
  void append(std::string_view bytes);

  /// Throws Error when the filesystem reports only now that something was not written.
  void close();

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
};

/// The records up to the end of the file or the first that is cut off or damaged, where other readers stop, too.
/// Throws Error when the file cannot be read.
std::vector<std::string> read_records(const std::filesystem::path& file);

}  // namespace strider
