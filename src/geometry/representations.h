#pragma once
// A folder of token representations and the graph that its tokens are nodes of, as strider extract and strider graph
// (or LLM-Topo's stages 02b and 01a) write them.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/notices.h"
#include "graph/graph.h"

namespace strider {

struct LayerArray {
  std::string name;  // in the file
  std::string type;  // "after_block" of "layer_3_after_block"; else the name
  std::optional<std::int64_t> layer;
  std::int64_t width = 0;
  std::uint32_t crc32 = 0;  // of its .npy file
};

struct Representations {
  std::filesystem::path file;              // .npz
  std::vector<LayerArray> arrays;          // input_embeds, then each type's layers in order, then what has no layer
  std::int64_t rows = 0;                   // of each array
  std::vector<std::int64_t> row_of_node;   // [nodes of the graph]
  std::vector<std::int32_t> token_of_row;  // [rows]: token id
  std::vector<std::string> text_of_row;    // [rows]: the token itself; the id as text where it is not known
};

/// `path` is an .npz file of float32 arrays [tokens, width], or a folder with token_representations.npz in it, or a
/// run's folder with such a folder `token_representations`. Beside the file may be token_metadata.json, which says the
/// token of each row; without it row r is token r. `names` chooses arrays; empty: all. Throws Error: nothing there,
/// arrays that are none of this, a name that is not among them, a node of the graph without a row, a row of a token
/// that is no node of the graph. Rows whose token was never seen in training (token_metadata.json says so), or whose id
/// is a gap in the graph's, may be no node: they are left out with a notice.
Representations open_representations(const std::filesystem::path& path, const std::vector<std::string>& names,
                                     const Graph& graph, Notices& notices);

/// The token of each row of an .npz file of representations, from token_metadata.json beside it; without that file row
/// r is token r.
struct RowTokens {
  std::vector<std::int32_t> ids;
  std::vector<std::optional<std::string>> texts;  // the id as text without the file; nothing where it does not say
  std::unordered_set<std::int64_t> never_seen;    // rows of tokens that training never saw
};

/// Throws Error where the file does not list `rows` rows.
RowTokens read_row_tokens(const std::filesystem::path& npz, std::int64_t rows);

/// The npz file that `path` means. Throws Error as above.
std::filesystem::path representations_file(const std::filesystem::path& path);

/// A_{name}_labeled.csv: `given` itself, or the only one in the folder `given`. Where nothing is given it is looked up
/// in the folder graph/ beside one of the three folders above `representations`. Throws Error: none found, or several.
std::filesystem::path graph_file(const std::optional<std::filesystem::path>& given,
                                 const std::filesystem::path& representations);

/// One array's rows in the order of the graph's nodes: [nodes, width]. Throws Error, with the token, for values that
/// are not finite, a row of zeros (it has no direction), and an array whose rows are all the same.
std::vector<float> read_layer(const Representations& representations, const LayerArray& array);

}  // namespace strider
