#pragma once
// Columns beside input_ids that mean something to transformers: attention_mask, labels, position_ids and masks of the
// loss. What they ask for is either done (a walk is cut where its padding begins) or refused with its place; they are
// never passed over in silence. Only data/ includes this.
#include <arrow/type_fwd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "data/arrow_split.h"

namespace strider {

/// Where something was found: a file, and what in it is being read.
struct ArrowPlace {
  std::filesystem::path file;
  std::string split;
  std::string advice;  // where the file is damaged
  std::int64_t batch = 0;
};

/// Throws Error about record batch `at.batch`.
[[noreturn]] void refuse_batch(const ArrowPlace& at, const std::string& what);

/// The lists of whole numbers (or of booleans) in the column `name`. Throws Error: another type, or a null.
ListColumn list_column(const arrow::Array& column, const std::string& name, const ArrowPlace& at);

/// Of the columns of a schema, those that apply_training_columns reads, by index.
std::vector<int> training_columns(const arrow::Schema& schema);

/// Reads the columns beside chunk.ids and sets chunk.cut_lengths where they end walks early. A walk ends
///   where attention_mask turns from 1 to 0 (padding on the right), and
///   where labels begin to be -100 up to the end: a causal model computes the same without such a tail.
/// Up to there labels must equal input_ids, position_ids must count from 0, loss masks must be 1: with other values
/// transformers would train on something else. Throws Error that names walk and position where they are not so.
void apply_training_columns(const arrow::RecordBatch& batch, const ArrowPlace& at, WalkChunk& chunk, ColumnUse& use);

}  // namespace strider
