#pragma once
// The records of a CSV text, one after the other, without copies: RFC 4180, with LF or CR LF at the end of a line and
// blank lines passed over. Only data/ includes this.
#include <cstddef>
#include <filesystem>
#include <string_view>
#include <vector>

namespace strider {

class CsvRecords {
 public:
  /// `text` is the whole of `file` and stays where it is. A UTF-8 byte order mark at its start is passed over.
  CsvRecords(std::string_view text, std::filesystem::path file);

  /// Moves to the next record; false at the end. Throws Error: a quoted field that does not end, or text after one.
  bool next();

  /// The fields of the record, without the quotes around them (a doubled quote within stays doubled).
  const std::vector<std::string_view>& fields() const { return fields_; }

  /// "line N" of a place in the text, from 1.
  std::string line_of(const char* place) const;

 private:
  std::string_view quoted_field();
  std::string_view plain_field();

  std::string_view text_;
  std::filesystem::path file_;
  std::size_t at_ = 0;
  std::vector<std::string_view> fields_;
};

}  // namespace strider
