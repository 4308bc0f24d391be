#include "report/projector.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <unordered_map>

#include "base/error.h"
#include "base/exists.h"
#include "geometry/representations.h"
#include "graph/cells.h"
#include "graph/sparse_file.h"
#include "io/atomic_file.h"
#include "io/npz.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigFile = "projector_config.pbtxt";
constexpr const char* kFolder = "projector";
constexpr std::string_view kFirstLine = "# Written by strider.";

// Of each row; every one has to be there.
std::vector<std::string> texts_of(const RowTokens& tokens, const fs::path& npz) {
  std::vector<std::string> texts;
  for (const std::optional<std::string>& text : tokens.texts) {
    if (!text) {
      throw Error(fmt::format("token_metadata.json has no token_str for row {}", texts.size()),
                  {.file = (npz.parent_path() / "token_metadata.json").string(),
                   .place = {},
                   .advice = "Extract the representations again (OVERWRITE=true)."});
    }
    texts.push_back(*text);
  }
  return texts;
}

// A token's text in one cell of a table.
std::string cell_text(std::string text) {
  for (char& letter : text) {
    if (letter == '\t' || letter == '\n' || letter == '\r') letter = ' ';
  }
  return text;
}

// What cannot be found is done without: it only adds colours.
std::optional<std::pair<Graph, Cells>> grid_of(const ProjectorSettings& settings, const fs::path& npz) {
  try {
    const fs::path file = graph_file(settings.graph, npz);
    Graph graph = read_graph(file);
    auto cells = read_cells(file.parent_path() / fmt::format("nodes_{}.csv", graph_name(file)), graph);
    if (!cells) return std::nullopt;
    return std::pair(std::move(graph), std::move(*cells));
  } catch (const Error&) {
    if (settings.graph) throw;  // the user has named it
    return std::nullopt;
  }
}

// A table of one column has no header: TensorBoard would take it for a token.
std::string metadata_text(const RowTokens& tokens, const std::vector<std::string>& texts,
                          const std::optional<std::pair<Graph, Cells>>& grid) {
  std::string text;
  if (!grid) {
    for (const std::string& token : texts) text += cell_text(token) + "\n";
    return text;
  }
  const auto& [graph, cells] = *grid;
  std::unordered_map<std::int32_t, std::size_t> node_of;
  for (std::size_t node = 0; node < graph.size(); ++node) node_of.emplace(graph.labels[node], node);
  text = "token\trow\tcolumn\n";
  for (std::size_t row = 0; row < texts.size(); ++row) {
    const auto node = node_of.find(tokens.ids[row]);
    text += cell_text(texts[row]);
    if (node == node_of.end()) {
      text += "\t\t\n";
    } else {
      text += fmt::format("\t{}\t{}\n", cells.rows[node->second], cells.columns[node->second]);
    }
  }
  return text;
}

void write_table(const fs::path& npz, const NpzEntry& entry, const fs::path& file) {
  NpzFloatReader reader(npz, entry.name);
  AtomicFile out(file);
  std::vector<float> row(static_cast<std::size_t>(entry.shape[1]));
  std::string line;
  for (std::int64_t i = 0; i < entry.shape[0]; ++i) {
    reader.read(row);
    line.clear();
    for (std::size_t k = 0; k < row.size(); ++k) {
      fmt::format_to(std::back_inserter(line), "{}{:.7g}", k == 0 ? "" : "\t", row[k]);
    }
    line += '\n';
    out.write(line);
  }
  out.commit();
}

// The arrays [tokens, width] in the order in which the page offers them.
std::vector<NpzEntry> shown_arrays(const fs::path& npz) {
  std::vector<NpzEntry> arrays = read_npz_entries(npz);
  std::erase_if(arrays, [](const NpzEntry& entry) { return entry.shape.size() != 2 || entry.dtype != "<f4"; });
  if (arrays.empty()) {
    throw Error("There is no float32 array [tokens, width]", {.file = npz.string(), .place = {}, .advice = {}});
  }
  const auto is_block = [](const NpzEntry& entry) { return entry.name.ends_with("_after_block"); };
  const auto last = std::find_if(arrays.rbegin(), arrays.rend(), is_block);
  if (last != arrays.rend()) std::rotate(arrays.begin(), last.base() - 1, last.base());
  return arrays;
}

void refuse_foreign(const fs::path& file) {
  if (!path_exists(file)) return;
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  if (line == kFirstLine) return;
  throw Error("projector_config.pbtxt was not written by Strider",
              {.file = file.string(), .place = {}, .advice = "Name another folder, or move that file away."});
}

}  // namespace

WrittenProjector write_projector(const ProjectorSettings& settings) {
  const fs::path npz = representations_file(settings.representations);
  const std::vector<NpzEntry> arrays = shown_arrays(npz);
  const fs::path config_file = settings.log_folder / kConfigFile;
  refuse_foreign(config_file);
  const RowTokens tokens = read_row_tokens(npz, arrays.front().shape[0]);
  const std::vector<std::string> texts = texts_of(tokens, npz);

  WrittenProjector written;
  const auto add = [&](const fs::path& file) {
    written.files.push_back(file);
    written.bytes += fs::file_size(file);
  };
  const fs::path metadata = settings.log_folder / kFolder / "metadata.tsv";
  written.notices.add(write_file_atomically(metadata, metadata_text(tokens, texts, grid_of(settings, npz))));
  add(metadata);
  std::string config = fmt::format("{}\n", kFirstLine);
  for (const NpzEntry& entry : arrays) {
    const fs::path file = settings.log_folder / kFolder / (entry.name + ".tsv");
    write_table(npz, entry, file);
    add(file);
    config += fmt::format(
        "embeddings {{\n  tensor_name: \"{0}\"\n  tensor_shape: {1}\n  tensor_shape: {2}\n"
        "  tensor_path: \"{3}/{0}.tsv\"\n  metadata_path: \"{3}/metadata.tsv\"\n}}\n",
        entry.name, entry.shape[0], entry.shape[1], kFolder);
  }
  written.notices.add(write_file_atomically(config_file, config));
  add(config_file);
  return written;
}

}  // namespace strider
