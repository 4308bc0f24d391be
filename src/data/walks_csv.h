#pragma once
// Walks as text: a CSV file with the columns walk_id, length and sequence_labels (token ids with white space between),
// in any order and with others beside them; numbers may be written as pandas writes them in floating point (7.0). The
// text stays in mapped memory; a walk is read again where it is wanted.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "data/token_counts.h"

namespace strider {

class CsvRecords;

class WalksCsv {
 public:
  /// Maps the file and reads all of it once. Throws Error that names another kind of file and how it is converted, or
  /// the line: no such file, a missing column, a record
  /// of another number of fields, what is no number, a negative id or one past 2^31 - 2, a walk without a token, a
  /// length that is not the number of its ids; or that there is no walk.
  explicit WalksCsv(const std::filesystem::path& file);

  std::int64_t size() const { return static_cast<std::int64_t>(walks_.size()); }  // walks
  std::int64_t tokens() const { return tokens_; }                                 // of all walks
  std::int64_t min_id() const { return min_id_; }
  std::int64_t max_id() const { return max_id_; }
  std::int64_t single_token_walks() const { return single_tokens_; }  // in which nothing is predicted
  const TokenCounts& counts() const { return counts_; }

  std::int64_t walk_id(std::int64_t walk) const { return walks_[walk].walk_id; }
  std::int64_t length(std::int64_t walk) const { return walks_[walk].length; }
  /// Reads the ids of a walk into `ids` [length(walk)]. Throws Error when the file is no longer what it was.
  void read(std::int64_t walk, std::span<std::int32_t> ids) const;

 private:
  struct Walk {
    const char* labels = nullptr;  // in text_
    std::int64_t walk_id = 0;
    std::int64_t length = 0;
  };
  struct Columns;

  void map_file();
  Walk check_walk(const CsvRecords& records, const Columns& columns);

  std::filesystem::path file_;
  std::string_view text_;
  std::shared_ptr<const void> mapping_;
  std::vector<Walk> walks_;
  TokenCounts counts_;
  std::int64_t tokens_ = 0;
  std::int64_t single_tokens_ = 0;
  std::int64_t min_id_ = 0;
  std::int64_t max_id_ = 0;
};

}  // namespace strider
