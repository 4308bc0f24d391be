#pragma once
// The lines of a text file that others wrote, one after the other, also of one that is compressed with gzip or zstd:
// the file is never in memory as a whole.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace strider {

class TextLines {
 public:
  /// `what` is in the file, for errors: "walks". Throws Error: no such file, a folder, not readable, no such
  /// compression in this build.
  TextLines(const std::filesystem::path& file, const std::string& what);
  ~TextLines();
  TextLines(const TextLines&) = delete;
  TextLines& operator=(const TextLines&) = delete;

  /// Whether its first bytes are those of a Parquet file, which has no lines.
  bool is_parquet() const;
  /// The next line without its end and without a byte order mark; false at the end. It stays until the next call.
  /// Throws Error: a NUL in it, or a file that cannot be read or decompressed to its end.
  bool next(std::string_view* line);
  /// As next(), without blank lines and those that begin with #, or with a character of `comments`.
  bool next_filled(std::string_view* line, std::string_view comments = "#");
  /// "line N" of the last line, from 1.
  std::string place() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// The fields of a line of CSV (RFC 4180): without the quotes around them (a doubled quote within stays doubled). A
/// quoted field may not go over several lines: then Error with the place.
std::vector<std::string> csv_fields(std::string_view line, const std::filesystem::path& file, const std::string& place);

/// The beginning of a text as one line, to be shown in an error.
std::string excerpt(std::string_view text);

}  // namespace strider
