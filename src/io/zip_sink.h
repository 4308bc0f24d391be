#pragma once
// Where libzip writes a new archive to: a LargeFile instead of libzip's own file, which it fills 4 KB a system call.
#include <zip.h>

#include <exception>

#include "io/large_file.h"

namespace strider {

/// Outlives the archive that is opened from its source. libzip is C: what the file throws waits in thrown() until
/// libzip has returned with an error.
class ZipSink {
 public:
  explicit ZipSink(LargeFile& file);
  ZipSink(const ZipSink&) = delete;
  ZipSink& operator=(const ZipSink&) = delete;

  /// For zip_open_from_source with ZIP_CREATE | ZIP_TRUNCATE; nullptr and `error` when libzip cannot make it.
  zip_source_t* make_source(zip_error_t* error);
  std::exception_ptr thrown() const { return thrown_; }

 private:
  static zip_int64_t serve(void* self, void* data, zip_uint64_t length, zip_source_cmd_t command);
  zip_int64_t handle(void* data, zip_uint64_t length, zip_source_cmd_t command);
  zip_int64_t write(const char* data, zip_uint64_t length);
  zip_int64_t seek(void* data, zip_uint64_t length);

  LargeFile& file_;
  std::uint64_t position_ = 0;  // where the next write goes; libzip goes back to complete what it wrote
  zip_error_t error_;
  std::exception_ptr thrown_;
};

}  // namespace strider
