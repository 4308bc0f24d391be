#include "data/other_kinds.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/whole_number.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSpaces = " \t\r\v\f";
constexpr const char* kHeader = "walk_id,length,sequence_labels";
// The end of every Python command: writes `walks`, a list of lists, to the file that is named second.
constexpr const char* kWriteWalks =
    R"py(out = csv.writer(open(sys.argv[2], "w")); out.writerow(["walk_id", "length", "sequence_labels"]); )py"
    R"py(out.writerows([i, len(w), " ".join(map(str, w))] for i, w in enumerate(walks)))py";

// A word that a shell reads as this one file name.
std::string quoted(const fs::path& file) {
  std::string name = file.string();
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-' || c == '/';
  };
  if (!name.empty() && std::all_of(name.begin(), name.end(), is_plain)) return name;
  std::string word = "'";
  for (const char c : name) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

[[noreturn]] void refuse(const fs::path& file, const std::string& what, const std::string& advice,
                         const std::string& place = {}) {
  throw Error(what, {.file = file.string(), .place = place, .advice = advice});
}

std::string convert(const std::string& command) {
  return fmt::format("Convert it and name the result with INPUT_CSV: {}", command);
}

// Of the kinds that walk_sources.h reads.
std::string read_or_convert(const fs::path& file, const std::string& command) {
  return fmt::format(
      "FROM={} in the place of INPUT_CSV reads it as it is (strider dataset --from). Or convert it and name the result "
      "with INPUT_CSV: {}",
      quoted(file), command);
}

std::string python(const fs::path& file, const std::string& modules, const std::string& walks,
                   const std::string& more = {}) {
  return fmt::format("python3 -c 'import {}; {}; {}' {} OUT.csv{}", modules, walks, kWriteWalks, quoted(file), more);
}

struct Magic {
  std::string_view bytes;
  const char* kind;
  const char* command;  // {} is replaced by the file; empty: there is no one way
  bool is_read_by_from = false;
};

constexpr const char* kTable =
    R"py(walks = [w.split() if isinstance(w, str) else w for w in table[sys.argv[3]].to_pylist()])py";

void refuse_compressed(std::string_view text, const fs::path& file) {
  // Python, which has to be there for building, reads what a bare system has no program for. It has no Zstandard.
  constexpr Magic kMagics[] = {
      {"\x1f\x8b", "gzip", "gzip -dc {} > OUT.csv", true},
      {"BZh", "bzip2",
       R"py(python3 -c 'import bz2, sys; open(sys.argv[2], "wb").write(bz2.open(sys.argv[1]).read())' {} OUT.csv)py"},
      {"\xfd"
       "7zXZ",
       "xz",
       R"py(python3 -c 'import lzma, sys; open(sys.argv[2], "wb").write(lzma.open(sys.argv[1]).read())' {} OUT.csv)py"},
      {"\x28\xb5\x2f\xfd", "Zstandard", "zstd -dc {} > OUT.csv", true},
  };
  for (const Magic& magic : kMagics) {
    if (!text.starts_with(magic.bytes)) continue;
    const std::string command = fmt::format(fmt::runtime(magic.command), quoted(file));
    refuse(file, fmt::format("this file is compressed with {}, and is read as plain text only", magic.kind),
           magic.is_read_by_from ? read_or_convert(file, command) : convert(command));
  }
}

void refuse_tables(std::string_view text, const fs::path& file) {
  // By pyarrow itself, one thread and the file's name: pandas hands pyarrow a Python file, whose threads now and then
  // abort the interpreter as it exits, after all work is done (Arrow's issues 34314 and 50482).
  const auto by_pyarrow = [&](const char* kind, const char* module, const char* reader) {
    const std::string command =
        python(file, fmt::format("csv, {}, sys", module), fmt::format("table = {}; {}", reader, kTable), " COLUMN") +
        ", where COLUMN is the one that holds the walks";
    refuse(file, fmt::format("this is {}, not a CSV file of walks", kind),
           text.starts_with("PAR1") ? read_or_convert(file, command) : convert(command));
  };
  if (text.starts_with("PAR1")) {
    by_pyarrow("a Parquet file", "pyarrow.parquet", "pyarrow.parquet.ParquetFile(sys.argv[1]).read(use_threads=False)");
  }
  if (text.starts_with("ARROW1")) {
    by_pyarrow("an Arrow (Feather) file", "pyarrow.feather",
               "pyarrow.feather.read_table(sys.argv[1], use_threads=False)");
  }
  if (text.starts_with("\xff\xff\xff\xff")) {
    by_pyarrow("an Arrow stream", "pyarrow", "pyarrow.ipc.open_stream(sys.argv[1]).read_all()");
  }
  if (text.starts_with("\x93NUMPY")) {
    refuse(file, "this is a NumPy array, not a CSV file of walks",
           convert(python(file, "csv, numpy, sys", "walks = numpy.load(sys.argv[1]).tolist()")));
  }
  constexpr Magic kOthers[] = {{"PK\x03\x04", "a zip archive (npz, xlsx and pt files are such)", ""},
                               {"\x89HDF", "an HDF5 file", ""},
                               {"SQLite format 3", "an SQLite database", ""},
                               {"FEA1", "a Feather file of version 1", ""},
                               {"\x80\x02", "a Python pickle", ""},
                               {"\x80\x03", "a Python pickle", ""},
                               {"\x80\x04", "a Python pickle", ""},
                               {"\x80\x05", "a Python pickle", ""}};
  for (const Magic& magic : kOthers) {
    if (!text.starts_with(magic.bytes)) continue;
    refuse(file, fmt::format("this is {}, not a CSV file of walks", magic.kind),
           fmt::format("Write the walks as CSV, first line {}, ids of a walk with spaces between.", kHeader));
  }
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) {
    refuse(file, "this is UTF-16 text, and UTF-8 is read",
           convert(fmt::format("iconv -f UTF-16 -t UTF-8 {} > OUT.csv", quoted(file))));
  }
}

void refuse_json(std::string_view text, const fs::path& file) {
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos || (text[start] != '{' && text[start] != '[')) return;
  const std::size_t next = text.find_first_not_of(" \t\r\n", start + 1);
  const bool is_one_array =
      text[start] == '[' && next != std::string_view::npos && (text[next] == '[' || text[next] == '{');
  const char* const rows = is_one_array ? "rows = json.load(open(sys.argv[1]))"
                                        : "rows = [json.loads(line) for line in open(sys.argv[1]) if line.strip()]";
  const std::string command =
      python(file, "csv, json, sys",
             std::string(rows) +
                 "; walks = [r if isinstance(r, list) else next(v for v in r.values() if isinstance(v, list)) "
                 "for r in rows]");
  if (is_one_array) refuse(file, "this is JSON, not a CSV file of walks", convert(command));
  refuse(file, "this is JSON lines, not a CSV file of walks", read_or_convert(file, command));
}

std::vector<std::string_view> words_of(std::string_view line, std::string_view separators) {
  std::vector<std::string_view> words;
  std::size_t at = line.find_first_not_of(separators);
  while (at != std::string_view::npos) {
    const std::size_t end = std::min(line.find_first_of(separators, at), line.size());
    words.push_back(line.substr(at, end - at));
    at = line.find_first_not_of(separators, end);
  }
  return words;
}

// The first lines that have something in them, without comments as edge lists have them.
std::vector<std::string_view> first_lines(std::string_view text) {
  constexpr std::size_t kLines = 100;
  std::vector<std::string_view> lines;
  while (!text.empty() && lines.size() < kLines) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    const std::size_t start = line.find_first_not_of(kSpaces);
    if (start != std::string_view::npos && line[start] != '#' && line[start] != '%') lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

bool are_numbers(const std::vector<std::string_view>& words) {
  return std::all_of(words.begin(), words.end(),
                     [](std::string_view word) { return parse_whole_number(word).has_value(); });
}

[[noreturn]] void refuse_edges(const fs::path& file, bool has_header) {
  refuse(file, "this is a list of edges, not of walks",
         fmt::format(
             "Make an adjacency matrix of it, which 01b_sequence_generation.sh walks on (README: a graph of your "
             "own): python3 -c 'import pandas, sys; e = pandas.read_csv(sys.argv[1], sep=r\"[\\s,;]+\", header={}, "
             "comment=\"#\", engine=\"python\"); f, t = e.iloc[:, 0], e.iloc[:, 1]; n = sorted(set(f) | set(t)); "
             "a = pandas.crosstab(f, t).clip(upper=1).reindex(index=n, columns=n, fill_value=0); "
             "a.to_csv(sys.argv[2])' {} A_mine_1x1_labeled.csv (before a.to_csv, \"a = a | a.T; \" for "
             "edges that go both ways)",
             has_header ? "0" : "None", quoted(file)));
}

void refuse_plain_text(const std::vector<std::string_view>& lines, const fs::path& file) {
  const std::string separators = std::string(kSpaces) + ",;";
  const std::vector<std::string_view> first = words_of(lines.front(), separators);
  if (!are_numbers(first)) {
    constexpr std::string_view kFrom[] = {"source", "from", "src", "u", "node1", "Source", "From", "i"};
    const bool is_edge_header = (first.size() == 2 || first.size() == 3) &&
                                std::find(std::begin(kFrom), std::end(kFrom), first[0]) != std::end(kFrom);
    if (is_edge_header) refuse_edges(file, true);
    const bool is_one_column = lines.front().find_first_of(",;") == std::string_view::npos;
    if (!is_one_column || first.size() < 2 || lines.front().find('\t') != std::string_view::npos) return;
    refuse(
        file, "this is plain text without a header, and its tokens are words",
        read_or_convert(
            file,
            python(
                file, "csv, json, sys",
                R"py(rows = [line.split() for line in open(sys.argv[1]) if line.strip()]; ids = {w: i for i, w in )py"
                R"py(enumerate(sorted({w for r in rows for w in r}))}; walks = [[ids[w] for w in r] for r in rows]; )py"
                R"py(json.dump(ids, open(sys.argv[2] + ".ids.json", "w")))py")) +
            " (OUT.csv.ids.json then says which number is which word)");
  }
  const auto is_edge = [&](std::string_view line) {
    const auto words = words_of(line, separators);
    return words.size() == 2 && are_numbers(words);
  };
  if (lines.size() > 1 && std::all_of(lines.begin(), lines.end(), is_edge)) refuse_edges(file, false);
  const std::vector<std::string_view> fields = words_of(lines.front(), ",");
  constexpr std::size_t kFields = 3;
  if (fields.size() == kFields && words_of(fields[0], kSpaces).size() == 1 &&
      words_of(fields[1], kSpaces).size() == 1 &&
      parse_whole_number(words_of(fields[1], kSpaces)[0]) ==
          static_cast<std::int64_t>(words_of(fields[2], kSpaces).size())) {
    refuse(file, fmt::format("the header is missing: the first line must be {}", kHeader),
           convert(fmt::format("(echo {}; cat {}) > OUT.csv", kHeader, quoted(file))), "line 1");
  }
  refuse(file, "this is plain text without a header, one walk per line",
         read_or_convert(
             file, fmt::format("awk 'BEGIN {{print \"{}\"}} /^[#%]/ {{next}} {{gsub(/[\\r,;]/, \" \"); $1 = $1}} NF "
                               "{{print n++ \",\" NF \",\" $0}}' {} > OUT.csv",
                               kHeader, quoted(file))));
}

void refuse_other_separators(std::string_view header, const fs::path& file) {
  if (header.find("sequence_labels") == std::string_view::npos || header.find(',') != std::string_view::npos) return;
  for (const auto& [separator, name] : {std::pair(";", "semicolons"), {"\t", "tabs"}, {"|", "bars"}}) {
    if (header.find(separator) == std::string_view::npos) continue;
    const char* const word = *separator == '\t' ? "\\t" : separator;
    refuse(file, fmt::format("columns have {} between them here, and commas are read", name),
           convert(fmt::format("tr '{}' , < {} > OUT.csv", word, quoted(file))));
  }
}

}  // namespace

void refuse_other_kinds(std::string_view text, const fs::path& file) {
  refuse_compressed(text, file);
  refuse_tables(text, file);
  refuse_json(text, file);
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const std::vector<std::string_view> lines = first_lines(text);
  if (lines.empty()) return;
  refuse_other_separators(lines.front(), file);
  refuse_plain_text(lines, file);
}

std::string numbering_command(const fs::path& file) {
  return python(
      file, "csv, json, sys",
      R"py(csv.field_size_limit(1 << 30); rows = [r["sequence_labels"].split() for r in csv.DictReader(open(sys.argv[1]))]; )py"
      R"py(ids = {w: i for i, w in enumerate(sorted({w for r in rows for w in r}, key=lambda w: (len(w), w)))}; )py"
      R"py(walks = [[ids[w] for w in r] for r in rows]; json.dump(ids, open(sys.argv[2] + ".ids.json", "w")))py");
}

std::string unlisting_command(const fs::path& file) {
  return python(
      file, "csv, re, sys",
      R"py(csv.field_size_limit(1 << 30); )py"
      R"py(walks = [re.findall(r"[0-9]+", r["sequence_labels"]) for r in csv.DictReader(open(sys.argv[1]))])py");
}

}  // namespace strider
