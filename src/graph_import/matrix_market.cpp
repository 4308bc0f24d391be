#include <fmt/format.h>

#include <charconv>

#include "base/error.h"
#include "data/text_lines.h"
#include "graph_import/readers.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostRows = 100'000'000;

std::vector<std::string_view> words_of(std::string_view line) {
  constexpr std::string_view kSpace = " \t";
  std::vector<std::string_view> words;
  for (std::size_t at = line.find_first_not_of(kSpace); at != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(kSpace, at), line.size());
    words.push_back(line.substr(at, end - at));
    at = line.find_first_not_of(kSpace, end);
  }
  return words;
}

class MatrixMarketReader {
 public:
  explicit MatrixMarketReader(const fs::path& file) : file_(file), lines_(file, "graph") {}

  NamedEdges read() {
    read_header();
    const std::int64_t entries = read_size();
    std::string_view line;
    std::int64_t count = 0;
    while (lines_.next_filled(&line, "%")) {
      ++count;
      if (count > entries) fail(fmt::format("more entries than the {} that the size line says", entries));
      read_entry(line);
    }
    if (count < entries) fail(fmt::format("{} of {} entries are there", count, entries));
    return std::move(read_);
  }

 private:
  [[noreturn]] void fail(const std::string& message) const {
    throw Error(message, {.file = file_.string(),
                          .place = lines_.place(),
                          .advice = "Write the matrix again, with scipy.io.mmwrite for example."});
  }

  // %%MatrixMarket matrix coordinate real symmetric
  void read_header() {
    std::string_view line;
    lines_.next(&line);
    std::vector<std::string> words;  // upper and lower case are the same here
    for (const std::string_view word : words_of(line)) words.push_back(lower_case(word));
    if (words.size() != 5 || words[1] != "matrix")
      fail(fmt::format("no header of Matrix Market: \"{}\"", excerpt(line)));
    if (words[2] != "coordinate") fail(fmt::format("matrices of the format {} are not read, but coordinate", words[2]));
    if (words[3] != "real" && words[3] != "integer" && words[3] != "pattern") {
      fail(fmt::format("entries of the kind {} are no weights", words[3]));
    }
    if (words[4] != "general" && words[4] != "symmetric") {
      fail(fmt::format("matrices that are {} are no graphs", words[4]));
    }
    read_.is_weighted = words[3] != "pattern";
    read_.is_directed = words[4] == "general";
  }

  std::int64_t integer(std::string_view text, std::string_view line) const {
    std::int64_t value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (status != std::errc() || end != text.data() + text.size()) {
      fail(fmt::format("\"{}\" is no whole number, in \"{}\"", excerpt(text), excerpt(line)));
    }
    return value;
  }

  std::int64_t read_size() {
    std::string_view line;
    if (!lines_.next_filled(&line, "%")) fail("the size line is missing");
    const std::vector<std::string_view> words = words_of(line);
    if (words.size() != 3) fail(fmt::format("no size line of rows, columns and entries: \"{}\"", excerpt(line)));
    const std::int64_t rows = integer(words[0], line), columns = integer(words[1], line),
                       entries = integer(words[2], line);
    if (rows != columns || rows < 1 || entries < 0) {
      fail(fmt::format("a matrix of {} rows and {} columns is no graph", rows, columns));
    }
    if (rows > kMostRows) fail(fmt::format("the graph has more than {} nodes", kMostRows));
    read_.nodes = static_cast<std::size_t>(rows);
    return entries;
  }

  void read_entry(std::string_view line) {
    const std::vector<std::string_view> words = words_of(line);
    const std::size_t expected = read_.is_weighted ? 3 : 2;
    if (words.size() != expected) {
      fail(fmt::format("{} numbers where an entry has {}: \"{}\"", words.size(), expected, excerpt(line)));
    }
    const std::int64_t row = integer(words[0], line), column = integer(words[1], line);
    const auto size = static_cast<std::int64_t>(read_.nodes);
    if (row < 1 || row > size || column < 1 || column > size) {
      fail(fmt::format("an entry outside of a matrix of {} rows: \"{}\"", size, excerpt(line)));
    }
    Edge edge{.from = static_cast<std::int32_t>(row - 1), .to = static_cast<std::int32_t>(column - 1)};
    if (read_.is_weighted) {
      double zero = 1.0;
      const auto [end, status] = std::from_chars(words[2].data(), words[2].data() + words[2].size(), zero);
      const bool is_number = status == std::errc() && end == words[2].data() + words[2].size();
      if (is_number && zero == 0.0) return;  // an entry that is stored all the same
      edge.weight = parse_weight(words[2], file_, lines_.place(), line);
    }
    read_.edges.push_back(edge);
  }

  const fs::path& file_;
  TextLines lines_;
  NamedEdges read_;
};

}  // namespace

NamedEdges read_matrix_market(const fs::path& file) {
  return MatrixMarketReader(file).read();
}

}  // namespace strider
