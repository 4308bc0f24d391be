#include "geometry/representations.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/error.h"
#include "base/exists.h"
#include "base/whole_number.h"
#include "geometry/vector_fault.h"
#include "graph/cells.h"
#include "io/json.h"
#include "io/npz.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr const char* kArraysFile = "token_representations.npz";
constexpr const char* kArraysFolder = "token_representations";

LayerArray layer_array(const NpzEntry& entry) {
  LayerArray array{.name = entry.name, .type = entry.name, .layer = {}, .width = entry.shape[1], .crc32 = entry.crc32};
  constexpr std::string_view kPrefix = "layer_";
  const std::size_t end = entry.name.find('_', kPrefix.size());
  if (!entry.name.starts_with(kPrefix) || end == std::string::npos) return array;
  const auto number = std::string_view(entry.name).substr(kPrefix.size(), end - kPrefix.size());
  if (const auto layer = parse_whole_number(number)) {
    array.layer = layer;
    array.type = entry.name.substr(end + 1);
  }
  return array;
}

// input_embeds is before all layers and final_hidden after them.
void sort_arrays(std::vector<LayerArray>& arrays) {
  std::vector<std::string> types;
  for (const LayerArray& array : arrays) {
    if (std::ranges::find(types, array.type) == types.end()) types.push_back(array.type);
  }
  const auto place = [&](const LayerArray& array) {
    const auto group = array.name == "input_embeds" ? 0 : array.layer ? 1 : 2;
    return std::tuple(group, std::ranges::find(types, array.type) - types.begin(), array.layer.value_or(0));
  };
  std::ranges::stable_sort(arrays, {}, place);
}

std::vector<LayerArray> choose(std::vector<LayerArray> arrays, const std::vector<std::string>& names,
                               const fs::path& file) {
  if (names.empty()) return arrays;
  std::string known;
  for (const LayerArray& array : arrays) known += (known.empty() ? "" : ", ") + array.name;
  std::vector<LayerArray> chosen;
  for (const std::string& name : names) {
    const auto found = std::ranges::find_if(arrays, [&](const auto& a) { return a.name == name || a.type == name; });
    if (found == arrays.end()) {
      throw Error(fmt::format("There is no array \"{}\"", name),
                  {.file = file.string(), .place = {}, .advice = fmt::format("It has {}.", known)});
    }
  }
  for (const LayerArray& array : arrays) {
    const auto is_named = [&](const std::string& name) { return name == array.name || name == array.type; };
    if (std::ranges::any_of(names, is_named)) chosen.push_back(array);
  }
  return chosen;
}

constexpr const char* kOtherGraph = "Name the graph that this model's walks went on with --graph_dir.";

void match_rows(Representations& representations, const RowTokens& tokens, const Graph& graph, Notices& notices) {
  std::unordered_map<std::int32_t, std::int64_t> row_of_token;
  for (std::int64_t row = 0; row < representations.rows; ++row) {
    row_of_token.emplace(tokens.ids[static_cast<std::size_t>(row)], row);
  }
  const auto fail = [&](const std::string& message) {
    throw Error(message, {.file = representations.file.string(), .place = {}, .advice = kOtherGraph});
  };
  std::size_t unseen = 0;
  for (const std::int32_t label : graph.labels) {
    const auto found = row_of_token.find(label);
    if (found == row_of_token.end()) {
      fail(fmt::format("The graph's node {} has no row: there are {} rows, and the graph has {} nodes", label,
                       representations.rows, graph.size()));
    }
    representations.row_of_node.push_back(found->second);
    unseen += tokens.never_seen.contains(found->second) ? 1 : 0;
    row_of_token.erase(found);
  }
  const std::int32_t last = *std::ranges::max_element(graph.labels);
  for (std::int64_t row = 0; row < representations.rows; ++row) {
    const std::int32_t token = tokens.ids[static_cast<std::size_t>(row)];
    if (!row_of_token.contains(token) || token < last || tokens.never_seen.contains(row)) continue;
    fail(fmt::format(
        "Row {} is of token {}, which is no node of the graph: there are {} rows, and the graph has {} nodes", row,
        token, representations.rows, graph.size()));
  }
  if (!row_of_token.empty()) {
    notices.add(fmt::format("{} of {} rows are of tokens that are no node of the graph; they are left out.",
                            row_of_token.size(), representations.rows));
  }
  if (unseen > 0) {
    notices.add(fmt::format("{} of {} nodes were never seen in training; their vectors are measured like the others.",
                            unseen, graph.size()));
  }
}

std::vector<fs::path> graphs_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code status;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, status)) {
    const std::string name = entry.path().filename().string();
    if (!graph_name(name).empty()) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  // Of a graph that is there in both forms the first, A_{name}_labeled.csv: edges are what is compared, not their
  // weights.
  const auto same = [](const fs::path& a, const fs::path& b) { return graph_name(a) == graph_name(b); };
  std::ranges::stable_sort(files, {}, [](const fs::path& file) { return graph_name(file); });
  files.erase(std::unique(files.begin(), files.end(), same), files.end());
  return files;
}

fs::path only_graph(const std::vector<fs::path>& files, const fs::path& folder) {
  if (files.size() == 1) return files.front();
  std::string names;
  for (const fs::path& file : files) names += (names.empty() ? "" : ", ") + file.filename().string();
  throw Error(files.empty() ? "There is no graph A_{name}_labeled.csv or graph_{name}.npz in this folder"
                            : "There are several graphs in this folder",
              {.file = folder.string(),
               .place = {},
               .advice = files.empty() ? "01a_graph_generation.sh (or strider graph) makes one."
                                       : fmt::format("Name one of these files with --graph_dir: {}.", names)});
}

}  // namespace

fs::path representations_file(const fs::path& path) {
  if (is_file(path)) return path;
  for (const fs::path& file : {path / kArraysFile, path / kArraysFolder / kArraysFile}) {
    if (path_exists(file)) return file;
  }
  throw Error(
      path_exists(path) ? "There are no token representations in this folder" : "There is no such file or folder",
      {.file = path.string(),
       .place = {},
       .advice = "02b_representation_extraction.sh (or strider extract) writes token_representations.npz; name its "
                 "folder, or that of the run."});
}

fs::path graph_file(const std::optional<fs::path>& given, const fs::path& representations) {
  if (given) return is_folder(*given) ? only_graph(graphs_in(*given), *given) : *given;
  constexpr int kFoldersAbove = 3;
  fs::path folder = fs::absolute(representations).lexically_normal().parent_path();
  for (int above = 0; above < kFoldersAbove; ++above, folder = folder.parent_path()) {
    const std::vector<fs::path> files = graphs_in(folder / "graph");
    if (!files.empty()) return only_graph(files, folder / "graph");
  }
  throw Error("There is no folder graph/ beside these representations or above them",
              {.file = representations.string(), .place = {}, .advice = kOtherGraph});
}

RowTokens read_row_tokens(const fs::path& npz, std::int64_t rows) {
  RowTokens tokens;
  const fs::path file = npz.parent_path() / "token_metadata.json";
  if (!path_exists(file)) {
    for (std::int64_t row = 0; row < rows; ++row) {
      tokens.ids.push_back(static_cast<std::int32_t>(row));
      tokens.texts.emplace_back(std::to_string(row));
    }
    return tokens;
  }
  const nlohmann::json list = read_json(file);
  if (!list.is_array() || std::ssize(list) != rows) {
    throw Error(fmt::format("token_metadata.json does not list the {} rows of {}", rows, npz.filename().string()),
                {.file = file.string(), .place = {}, .advice = "Extract the representations again (OVERWRITE=true)."});
  }
  for (const nlohmann::json& row : list) {
    const std::int64_t id = json_integer(row, "token_id", file);
    if (row.contains("never_seen") && json_boolean(row, "never_seen", file))
      tokens.never_seen.insert(std::ssize(tokens.ids));
    tokens.ids.push_back(static_cast<std::int32_t>(id));
    const bool has_text = row.contains("token_str") && row["token_str"].is_string();
    tokens.texts.push_back(has_text ? std::optional(row["token_str"].get<std::string>()) : std::nullopt);
  }
  return tokens;
}

Representations open_representations(const fs::path& path, const std::vector<std::string>& names, const Graph& graph,
                                     Notices& notices) {
  Representations representations;
  representations.file = representations_file(path);
  const fs::path& file = representations.file;
  std::vector<LayerArray> arrays;
  for (const NpzEntry& entry : read_npz_entries(file)) {
    const bool is_first = arrays.empty();
    if (is_first && !entry.shape.empty()) representations.rows = entry.shape[0];
    if (entry.shape.size() != 2 || entry.shape[1] == 0 || entry.dtype != "<f4" ||
        entry.shape[0] != representations.rows) {
      throw Error(fmt::format("{} is no array of token representations: {} of shape [{}]", entry.name, entry.dtype,
                              fmt::join(entry.shape, ", ")),
                  {.file = file.string(),
                   .place = {},
                   .advice = "They are float32 arrays [tokens, width], all with as many tokens."});
    }
    arrays.push_back(layer_array(entry));
  }
  if (arrays.empty() || representations.rows == 0) {
    throw Error("There are no token representations in this file", {.file = file.string(), .place = {}, .advice = {}});
  }
  sort_arrays(arrays);
  representations.arrays = choose(std::move(arrays), names, file);
  const RowTokens tokens = read_row_tokens(file, representations.rows);
  match_rows(representations, tokens, graph, notices);
  representations.token_of_row = tokens.ids;
  for (std::size_t row = 0; row < tokens.ids.size(); ++row) {
    representations.text_of_row.push_back(tokens.texts[row].value_or(std::to_string(tokens.ids[row])));
  }
  return representations;
}

std::vector<float> read_layer(const Representations& representations, const LayerArray& array) {
  const NpzFloats all = read_npz_floats(representations.file, array.name);
  const auto width = static_cast<std::size_t>(array.width);
  const auto fail = [&](const std::string& message, const std::string& place) {
    throw Error(fmt::format("{} of {}", message, array.name),
                {.file = representations.file.string(),
                 .place = place,
                 .advice = "This array cannot be measured; --arrays chooses others."});
  };
  std::vector<float> values;
  values.reserve(representations.row_of_node.size() * width);
  for (const std::int64_t row : representations.row_of_node) {
    const float* const from = all.values.data() + static_cast<std::size_t>(row) * width;
    values.insert(values.end(), from, from + width);
  }
  if (const std::optional<VectorFault> fault = find_vector_fault(values, width)) {
    const auto row = static_cast<std::size_t>(representations.row_of_node[fault->row]);
    const std::string token = fmt::format("token {}", representations.token_of_row[row]);
    switch (fault->what) {
      case VectorFault::kNotFinite:
        fail(fmt::format("A value that is not finite ({})", values[fault->row * width + fault->column]),
             fmt::format("{}, column {}", token, fault->column));
        break;
      case VectorFault::kZero:
        fail("A vector of zeros, which has no direction, in a row", token);
        break;
      case VectorFault::kAllTheSame:
        fail("The same vector for every token, in all rows", {});
        break;
    }
  }
  return values;
}

}  // namespace strider
