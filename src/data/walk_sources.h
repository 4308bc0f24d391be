#pragma once
// Walks in the kinds of files that people have, as tokens that are still text, one walk after the other, without the
// file ever being in memory as a whole:
//   plain text   a walk per line, tokens with white space or commas between (the corpora of DeepWalk and node2vec);
//                lines that begin with # and blank lines are passed over
//   CSV          a header (RFC 4180); walks are in one column, tokens as in plain text, in brackets or not
//   JSON lines   a walk per line: a list, a text with white space between, or an object with one of these in a field
//   Parquet      a column of lists or of texts
// Each but Parquet, which compresses itself, also compressed with gzip or zstd. The kind is found out from the first
// bytes; a name that ends in .csv says that there is a header.
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strider {

enum class WalkKind { kText, kCsv, kJsonLines, kParquet };

/// "plain text", "CSV", "JSON lines", "Parquet"
const char* name_of(WalkKind kind);

/// The tokens of a walk, never none, and where it is: "line 12", "row 12". Both are valid during the call.
using OnWalk = std::function<void(std::span<const std::string_view> tokens, const std::string& place)>;

/// The column or field that has the walks: `asked`, or one of the usual names, or the only one there is. Throws Error
/// that names those that are there.
std::string choose_walk_column(const std::vector<std::string>& columns, const std::string& asked,
                               const std::filesystem::path& file);

class WalkSource {
 public:
  /// `column` names the column or field with the walks; empty: one of the names that are usual for it, or the only one.
  /// Throws Error: no such file, an empty one, none of the kinds above, no such column (those that are there are
  /// named).
  WalkSource(std::filesystem::path file, const std::string& column);

  WalkKind kind() const { return kind_; }
  const std::string& column() const { return column_; }  // empty where the kind, or the file, has none

  /// Calls `on_walk` for each walk; may be called again. Throws Error with the line or row: a walk without a token,
  /// what is neither a list nor a text, a file that ends too early.
  void read(const OnWalk& on_walk) const;

 private:
  std::filesystem::path file_;
  std::string column_;
  WalkKind kind_ = WalkKind::kText;
};

}  // namespace strider
