#include "io/npz.h"

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <exception>
#include <memory>

#include "base/error.h"
#include "io/large_file.h"
#include "io/npy_header.h"
#include "io/raw_array.h"
#include "io/zip_sink.h"

namespace strider {
namespace {

static_assert(std::endian::native == std::endian::little, "values go to the file as they are in memory");

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".npy";
constexpr std::string_view kFloat32 = "<f4";
constexpr std::uint64_t kLongestHeader = 1 << 20;
constexpr std::uint64_t kMostInflation = 1040;  // deflate makes at most 1032 bytes of one
constexpr const char* kCannotWrite = "cannot write the .npz archive";
constexpr const char* kDamaged = "The file is damaged; make it again.";
// 1980-01-01 00:00, what numpy gives every entry: the same arrays are the same bytes whenever they are written.
constexpr zip_uint16_t kDosTime = 0;
constexpr zip_uint16_t kDosDate = 0x21;

struct Discard {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
using Archive = std::unique_ptr<zip_t, Discard>;

[[noreturn]] void fail(zip_error_t* error, const std::string& message, const fs::path& file, const std::string& place) {
  const bool system = zip_error_system_type(error) == ZIP_ET_SYS && zip_error_code_system(error) != 0;
  const int number = system ? zip_error_code_system(error) : 0;
  std::string advice;
  if (number == ENOSPC || number == EDQUOT) advice = "Free some space there and run the same command again.";
  if (number == EACCES || number == EPERM || number == EROFS) advice = "Choose a folder that you may write to.";
  ErrorDetails details{.file = file.string(), .place = place, .advice = std::move(advice)};
  if (system) throw system_error(message, number, std::move(details));
  throw Error(fmt::format("{}: {}", message, zip_error_strerror(error)), std::move(details));
}

std::uint64_t row_floats(const NpzArray& array) {
  std::uint64_t floats = 1;
  for (std::size_t i = 1; i < array.shape.size(); ++i) floats *= static_cast<std::uint64_t>(array.shape[i]);
  return floats;
}

// What the entries of one file share while it is written. libzip is C: an exception waits here until it has returned.
struct Writing {
  std::int64_t rows_at_once = 0;
  std::exception_ptr thrown;
};

// The bytes of one entry, as libzip pulls them: the header, then piece after piece.
class EntrySource {
 public:
  EntrySource(const NpzArray& array, Writing& writing)
      : array_(array),
        writing_(writing),
        header_(npy_header(kFloat32, array.shape)),
        row_bytes_(row_floats(array) * sizeof(float)),
        total_(header_.size() + row_bytes_ * static_cast<std::uint64_t>(array.shape.front())) {
    zip_error_init(&error_);
  }

  static zip_int64_t serve(void* self, void* data, zip_uint64_t length, zip_source_cmd_t command) {
    auto* source = static_cast<EntrySource*>(self);
    switch (command) {
      case ZIP_SOURCE_OPEN:
        source->position_ = 0;
        source->piece_begin_ = source->piece_end_ = source->header_.size();
        return 0;
      case ZIP_SOURCE_READ:
        return source->read(static_cast<char*>(data), length);
      case ZIP_SOURCE_STAT:
        return source->stat(static_cast<zip_stat_t*>(data));
      case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&source->error_, data, length);
      case ZIP_SOURCE_CLOSE:
        return 0;
      case ZIP_SOURCE_FREE:
        delete source;
        return 0;
      case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT,
                                              ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE, -1);
      default:
        zip_error_set(&source->error_, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
  }

 private:
  zip_int64_t read(char* data, std::uint64_t length) try {
    std::uint64_t done = 0;
    while (done < length && position_ < total_) {
      const char* from = header_.data() + position_;
      std::uint64_t until = header_.size();
      if (position_ >= header_.size()) {
        if (position_ == piece_end_) next_piece();
        from = reinterpret_cast<const char*>(piece_.data()) + (position_ - piece_begin_);
        until = piece_end_;
      }
      const std::uint64_t count = std::min(length - done, until - position_);
      std::memcpy(data + done, from, count);
      done += count;
      position_ += count;
    }
    return static_cast<zip_int64_t>(done);
  } catch (...) {
    writing_.thrown = std::current_exception();
    zip_error_set(&error_, ZIP_ER_INTERNAL, 0);
    return -1;
  }

  void next_piece() {
    const auto first = static_cast<std::int64_t>((piece_end_ - header_.size()) / row_bytes_);
    const std::int64_t count = std::min(writing_.rows_at_once, array_.shape.front() - first);
    piece_ = array_.rows(first, count);
    if (piece_.size_bytes() != static_cast<std::uint64_t>(count) * row_bytes_) {
      throw Error("an array gave other rows than it was asked for", {.file = {}, .place = array_.name, .advice = {}});
    }
    piece_begin_ = piece_end_;
    piece_end_ += static_cast<std::uint64_t>(count) * row_bytes_;
  }

  zip_int64_t stat(zip_stat_t* stat) const {
    zip_stat_init(stat);
    stat->size = total_;  // known beforehand, so that libzip knows whether the entry needs zip64
    stat->valid = ZIP_STAT_SIZE;
    return sizeof(zip_stat_t);
  }

  const NpzArray& array_;
  Writing& writing_;
  std::string header_;
  std::uint64_t row_bytes_, total_;
  std::span<const float> piece_;
  std::uint64_t position_ = 0, piece_begin_ = 0, piece_end_ = 0;  // in bytes of the entry
  zip_error_t error_;
};

// Gives `source` to the archive, stored and without a time of its own; null: it could not be made.
void add_source(zip_t* archive, const std::string& array, zip_source_t* source, const fs::path& file) {
  if (source == nullptr) fail(zip_get_error(archive), kCannotWrite, file, array);
  const zip_int64_t index = zip_file_add(archive, (array + std::string(kSuffix)).c_str(), source, ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    zip_source_free(source);
    fail(zip_get_error(archive), kCannotWrite, file, array);
  }
  const auto at = static_cast<zip_uint64_t>(index);
  if (zip_set_file_compression(archive, at, ZIP_CM_STORE, 0) != 0 ||
      zip_file_set_dostime(archive, at, kDosTime, kDosDate, 0) != 0) {
    fail(zip_get_error(archive), kCannotWrite, file, array);
  }
}

void add_entry(zip_t* archive, const NpzArray& array, Writing& writing, const fs::path& file) {
  auto entry = std::make_unique<EntrySource>(array, writing);
  zip_source_t* source = zip_source_function(archive, &EntrySource::serve, entry.get());
  if (source != nullptr) static_cast<void>(entry.release());  // the source's now
  add_source(archive, array.name, source, file);
}

// Bytes of one value: the number in "<f4"; characters of text take four each. 0 for what has no fixed size.
std::uint64_t value_bytes(const std::string& dtype) {
  const std::size_t digits = dtype.find_first_of("0123456789");
  if (digits == std::string::npos || digits == 0) return 0;
  std::uint64_t bytes = 0;
  std::from_chars(dtype.data() + digits, dtype.data() + dtype.size(), bytes);
  return dtype[digits - 1] == 'U' ? 4 * bytes : bytes;
}

struct CloseFile {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

// One entry of an archive that is read.
class EntryReader {
 public:
  EntryReader(zip_t* archive, zip_uint64_t index, const fs::path& file) : file_(file) {
    zip_stat_t stat;
    if (zip_stat_index(archive, index, 0, &stat) != 0 || (stat.valid & ZIP_STAT_NAME) == 0 ||
        (stat.valid & ZIP_STAT_SIZE) == 0 || (stat.valid & ZIP_STAT_CRC) == 0) {
      fail(zip_get_error(archive), "cannot read the archive", file, fmt::format("entry {}", index));
    }
    name_ = stat.name;
    size_ = stat.size;
    crc32_ = stat.crc;
    if ((stat.valid & ZIP_STAT_COMP_SIZE) == 0 || size_ / kMostInflation > stat.comp_size) {
      throw Error("The archive says that this array is larger than it can be",
                  {.file = file.string(), .place = name_, .advice = kDamaged});
    }
    entry_.reset(zip_fopen_index(archive, index, 0));
    if (!entry_) fail(zip_get_error(archive), "cannot read the archive", file, name_);
    std::string start(std::min<std::uint64_t>(size_, kNpyPrefix), '\0');
    read(start.data(), start.size());
    const std::uint64_t header_bytes = std::min(npy_header_bytes(start, file, name_), size_);
    if (header_bytes > kLongestHeader) {
      throw Error("The .npy header is far too long", {.file = file.string(), .place = name_, .advice = kDamaged});
    }
    const std::size_t known = start.size();
    start.resize(std::max<std::size_t>(known, header_bytes));
    read(start.data() + known, start.size() - known);
    parsed_ = parse_npy_header(start, file, name_);
    extra_ = start.substr(parsed_.bytes);
  }

  const std::string& name() const { return name_; }
  const NpyHeader& header() const { return parsed_.header; }
  std::uint64_t count() const { return parsed_.count; }  // values
  std::uint32_t crc32() const { return crc32_; }

  void check_size() const {
    const std::uint64_t bytes = size_ - parsed_.bytes;
    const std::uint64_t width = value_bytes(header().dtype);
    if (width == 0 || bytes % width != 0 || bytes / width != parsed_.count) {
      throw Error(fmt::format("The array has {} bytes where its header asks for {} values of type {}", bytes,
                              parsed_.count, header().dtype),
                  {.file = file_.string(), .place = name_, .advice = kDamaged});
    }
  }

  /// The next values. Those that came with the header are taken first.
  void read_floats(std::span<float> out) { read_bytes(reinterpret_cast<char*>(out.data()), out.size_bytes()); }
  void read_bytes(char* bytes, std::size_t count) {
    const std::size_t known = std::min(extra_.size(), count);
    std::copy_n(extra_.data(), known, bytes);
    extra_.erase(0, known);
    read(bytes + known, count - known);
  }

  /// After the last value: reading the end is what compares the checksum.
  void check_end() {
    char past = 0;
    if (zip_fread(entry_.get(), &past, 1) != 0) {
      fail(zip_file_get_error(entry_.get()), "cannot read the array", file_, name_);
    }
  }

 private:
  void read(char* bytes, std::uint64_t count) {
    while (count > 0) {
      const zip_int64_t got = zip_fread(entry_.get(), bytes, count);
      if (got < 0) fail(zip_file_get_error(entry_.get()), "cannot read the array", file_, name_);
      if (got == 0) throw Error("The array is cut off", {.file = file_.string(), .place = name_, .advice = kDamaged});
      bytes += got;
      count -= static_cast<std::uint64_t>(got);
    }
  }

  const fs::path& file_;
  std::string name_;
  std::uint64_t size_ = 0;
  std::uint32_t crc32_ = 0;
  std::unique_ptr<zip_file_t, CloseFile> entry_;
  ParsedNpyHeader parsed_;
  std::string extra_;  // values that were read with the header
};

struct EndError {
  void operator()(zip_error_t* error) const { zip_error_fini(error); }
};

Archive open_for_reading(const fs::path& file) {
  int code = 0;
  Archive archive(zip_open(file.c_str(), ZIP_RDONLY, &code));
  if (!archive) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::unique_ptr<zip_error_t, EndError> end(&error);
    fail(&error, "cannot open the .npz archive", file, {});
  }
  return archive;
}

Archive open_for_writing(ZipSink& sink, const fs::path& file) {
  zip_error_t error;
  zip_error_init(&error);
  const std::unique_ptr<zip_error_t, EndError> end(&error);
  zip_source_t* source = sink.make_source(&error);
  if (source == nullptr) fail(&error, kCannotWrite, file, {});
  Archive archive(zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, &error));
  if (!archive) {
    zip_source_free(source);
    fail(&error, kCannotWrite, file, {});
  }
  return archive;
}

zip_uint64_t index_of(zip_t* archive, const std::string& name, const fs::path& file) {
  const zip_int64_t index = zip_name_locate(archive, (name + std::string(kSuffix)).c_str(), 0);
  if (index >= 0) return static_cast<zip_uint64_t>(index);
  throw Error(fmt::format("There is no array \"{}\"", name),
              {.file = file.string(), .place = {}, .advice = "See its arrays with: strider inspect"});
}

// Calls add(archive), which adds the entries, and writes them; `writing` has what their sources throw.
template <typename Add>
void write_archive(const fs::path& file, const Writing& writing, const Add& add) {
  LargeFile target(file);
  ZipSink sink(target);
  Archive archive = open_for_writing(sink, file);
  add(archive.get());
  if (zip_close(archive.get()) != 0) {
    if (writing.thrown) std::rethrow_exception(writing.thrown);
    if (sink.thrown()) std::rethrow_exception(sink.thrown());
    fail(zip_get_error(archive.get()), kCannotWrite, file, {});
  }
  static_cast<void>(archive.release());  // zip_close has freed it
}

}  // namespace

void write_npz(const fs::path& file, const std::vector<NpzArray>& arrays, std::int64_t rows_at_once) {
  Writing writing{.rows_at_once = rows_at_once, .thrown = {}};
  write_archive(file, writing, [&](zip_t* archive) {
    for (const NpzArray& array : arrays) add_entry(archive, array, writing, file);
  });
}

void write_raw_npz(const fs::path& file, const std::vector<std::pair<std::string, RawArray>>& arrays) {
  std::vector<std::string> entries;  // stay until the archive is closed
  entries.reserve(arrays.size());
  write_archive(file, {}, [&](zip_t* archive) {
    for (const auto& [name, array] : arrays) {
      const std::string& bytes = entries.emplace_back(npy_header(array.dtype, array.shape) + array.bytes);
      add_source(archive, name, zip_source_buffer(archive, bytes.data(), bytes.size(), 0), file);
    }
  });
}

std::vector<NpzEntry> read_npz_entries(const fs::path& file) {
  const Archive archive = open_for_reading(file);
  std::vector<NpzEntry> entries;
  const auto count = static_cast<zip_uint64_t>(zip_get_num_entries(archive.get(), 0));
  for (zip_uint64_t i = 0; i < count; ++i) {
    const EntryReader reader(archive.get(), i, file);
    reader.check_size();
    std::string name = reader.name();
    if (name.ends_with(kSuffix)) name.resize(name.size() - kSuffix.size());
    entries.push_back(
        {std::move(name), reader.header().dtype, reader.header().shape, reader.header().fortran_order, reader.crc32()});
  }
  return entries;
}

struct NpzFloatReader::Parts {
  Parts(const fs::path& from, const std::string& name)
      : file(from), archive(open_for_reading(file)), entry(archive.get(), index_of(archive.get(), name, file), file) {
    const NpyHeader& header = entry.header();
    if (header.dtype != kFloat32 || (header.fortran_order && header.shape.size() > 1)) {
      throw Error(fmt::format("The array is {}{} and not float32 in C order", header.dtype,
                              header.fortran_order ? " in Fortran order" : ""),
                  {.file = file.string(), .place = name, .advice = {}});
    }
    entry.check_size();
    left = entry.count();
    if (left == 0) entry.check_end();
  }

  fs::path file;
  Archive archive;
  EntryReader entry;  // before the archive it is of goes
  std::uint64_t left = 0;
};

NpzFloatReader::NpzFloatReader(const fs::path& file, const std::string& name)
    : parts_(std::make_unique<Parts>(file, name)) {}

NpzFloatReader::~NpzFloatReader() = default;

const std::vector<std::int64_t>& NpzFloatReader::shape() const {
  return parts_->entry.header().shape;
}

std::uint64_t NpzFloatReader::left() const {
  return parts_->left;
}

void NpzFloatReader::read(std::span<float> out) {
  parts_->entry.read_floats(out);
  parts_->left -= out.size();
  if (parts_->left == 0) parts_->entry.check_end();
}

NpzFloats read_npz_floats(const fs::path& file, const std::string& name) {
  NpzFloatReader reader(file, name);
  NpzFloats array{reader.shape(), std::vector<float>(reader.left())};
  if (!array.values.empty()) reader.read(array.values);
  return array;
}

RawArray read_raw_npz(const fs::path& file, const std::string& name) {
  const Archive archive = open_for_reading(file);
  EntryReader reader(archive.get(), index_of(archive.get(), name, file), file);
  reader.check_size();
  RawArray array{.dtype = reader.header().dtype,
                 .fortran_order = reader.header().fortran_order,
                 .shape = reader.header().shape,
                 .bytes = std::string(reader.count() * value_bytes(reader.header().dtype), '\0')};
  reader.read_bytes(array.bytes.data(), array.bytes.size());
  reader.check_end();
  return array;
}

}  // namespace strider
