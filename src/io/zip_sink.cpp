#include "io/zip_sink.h"

#include <algorithm>
#include <cerrno>
#include <string_view>

namespace strider {

ZipSink::ZipSink(LargeFile& file) : file_(file) {
  zip_error_init(&error_);
}

zip_source_t* ZipSink::make_source(zip_error_t* error) {
  return zip_source_function_create(&serve, this, error);
}

zip_int64_t ZipSink::serve(void* self, void* data, zip_uint64_t length, zip_source_cmd_t command) {
  auto* sink = static_cast<ZipSink*>(self);
  try {
    return sink->handle(data, length, command);
  } catch (...) {
    sink->thrown_ = std::current_exception();
    zip_error_set(&sink->error_, ZIP_ER_WRITE, 0);
    return -1;
  }
}

zip_int64_t ZipSink::handle(void* data, zip_uint64_t length, zip_source_cmd_t command) {
  switch (command) {
    case ZIP_SOURCE_SUPPORTS:  // libzip refuses to write where it may not read; of a new archive it reads nothing
      return zip_source_make_command_bitmap(
          ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_STAT,
          ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE, ZIP_SOURCE_BEGIN_WRITE, ZIP_SOURCE_WRITE, ZIP_SOURCE_SEEK_WRITE,
          ZIP_SOURCE_TELL_WRITE, ZIP_SOURCE_COMMIT_WRITE, ZIP_SOURCE_ROLLBACK_WRITE, ZIP_SOURCE_REMOVE, -1);
    case ZIP_SOURCE_STAT:
      zip_error_set(&error_, ZIP_ER_READ, ENOENT);  // how libzip learns that there is no archive yet
      return -1;
    case ZIP_SOURCE_ERROR:
      return zip_error_to_data(&error_, data, length);
    case ZIP_SOURCE_BEGIN_WRITE:
    case ZIP_SOURCE_ROLLBACK_WRITE:  // a LargeFile that is not committed leaves nothing
    case ZIP_SOURCE_REMOVE:          // what libzip does to an archive without entries
    case ZIP_SOURCE_FREE:
      return 0;
    case ZIP_SOURCE_WRITE:
      return write(static_cast<const char*>(data), length);
    case ZIP_SOURCE_SEEK_WRITE:
      return seek(data, length);
    case ZIP_SOURCE_TELL_WRITE:
      return static_cast<zip_int64_t>(position_);
    case ZIP_SOURCE_COMMIT_WRITE:
      file_.commit();
      return 0;
    default:
      zip_error_set(&error_, ZIP_ER_OPNOTSUPP, 0);
      return -1;
  }
}

zip_int64_t ZipSink::write(const char* data, zip_uint64_t length) {
  const std::string_view bytes(data, length);
  const auto corrected = std::min<std::uint64_t>(file_.size() - position_, length);
  if (corrected > 0) file_.overwrite(position_, bytes.substr(0, corrected));
  file_.append(bytes.substr(corrected));
  position_ += length;
  return static_cast<zip_int64_t>(length);
}

zip_int64_t ZipSink::seek(void* data, zip_uint64_t length) {
  const auto size = static_cast<zip_int64_t>(file_.size());
  const zip_int64_t to =
      zip_source_seek_compute_offset(position_, static_cast<zip_uint64_t>(size), data, length, &error_);
  if (to < 0) return -1;
  position_ = static_cast<std::uint64_t>(to);
  return 0;
}

}  // namespace strider
