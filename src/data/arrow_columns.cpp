#include "data/arrow_columns.h"

#include <arrow/array/array_nested.h>
#include <arrow/array/array_primitive.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>
#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "base/error.h"

namespace strider {
namespace {

constexpr std::int64_t kNoLabel = -100;  // transformers' ignore_index
constexpr const char* kMask = "attention_mask";
constexpr const char* kLabels = "labels";
// The Trainer of transformers takes label_ids for labels; TRL's trainers have masks of the loss.
constexpr const char* kTrainingColumns[] = {kMask,       kLabels,           "label_ids",       "position_ids",
                                            "loss_mask", "completion_mask", "assistant_masks", "inputs_embeds"};

bool is_label_column(const std::string& name) {
  return name == kLabels || name == "label_ids";
}

template <typename Array, typename Value = typename Array::value_type>
void point_at_values(const arrow::Array& items, ListColumn& column) {
  column.values = static_cast<const Array&>(items).raw_values();
  column.value_bytes = static_cast<int>(sizeof(Value));
  column.is_unsigned = std::is_unsigned_v<Value>;
}

void point_at_bits(const arrow::Array& items, ListColumn& column) {
  column.values = items.data()->buffers[1] == nullptr ? nullptr : items.data()->buffers[1]->data();
  column.first_bit = items.offset();
  column.value_bytes = 0;
}

// Where the numbers of all lists are, by the type of the items.
void point_at_items(const arrow::Array& items, const std::string& name, const ArrowPlace& at, ListColumn& column) {
  if (items.null_count() > 0) refuse_batch(at, fmt::format("the column {} has a null in a list", name));
  switch (items.type_id()) {
    case arrow::Type::INT8:
      return point_at_values<arrow::Int8Array>(items, column);
    case arrow::Type::INT16:
      return point_at_values<arrow::Int16Array>(items, column);
    case arrow::Type::INT32:
      return point_at_values<arrow::Int32Array>(items, column);
    case arrow::Type::INT64:
      return point_at_values<arrow::Int64Array>(items, column);
    case arrow::Type::UINT64:  // an id past 2^63 reads as a negative one, and neither is in a vocabulary
      return point_at_values<arrow::UInt64Array, std::int64_t>(items, column);
    case arrow::Type::UINT8:
      return point_at_values<arrow::UInt8Array>(items, column);
    case arrow::Type::UINT16:
      return point_at_values<arrow::UInt16Array>(items, column);
    case arrow::Type::UINT32:
      return point_at_values<arrow::UInt32Array>(items, column);
    case arrow::Type::BOOL:
      if (name != "input_ids") return point_at_bits(items, column);
      [[fallthrough]];
    default:
      refuse_batch(at, fmt::format("the column {} holds {}, not whole numbers", name, items.type()->ToString()));
  }
}

struct Walk {
  std::int64_t number = 0;  // in the split
  std::int64_t begin = 0;   // of its ids in chunk.ids
  std::int64_t tokens = 0;  // in the column input_ids
  std::int64_t kept = 0;    // before its padding
};

class TrainingColumn {
 public:
  TrainingColumn(const arrow::Array& column, std::string name, const ArrowPlace& at)
      : name_(std::move(name)), at_(at), lists_(list_column(column, name_, at)) {}

  void apply(std::int64_t row, const ListColumn& ids, Walk& walk) const {
    const std::int64_t begin = lists_.offset(row);
    const std::int64_t length = lists_.offset(row + 1) - begin;
    if (length != walk.tokens) {
      refuse(walk, -1, fmt::format("{} has {} entries, input_ids has {}", name_, length, walk.tokens),
             "Give both the same length, or remove the column.");
    }
    if (name_ == kMask) {
      apply_mask(begin, walk);
    } else if (is_label_column(name_)) {
      apply_labels(begin, ids, walk);
    } else if (name_ == "position_ids") {
      check_positions(begin, walk);
    } else {
      check_loss_mask(begin, walk);
    }
  }

 private:
  [[noreturn]] void refuse(const Walk& walk, std::int64_t position, const std::string& what,
                           const std::string& advice) const {
    const std::string place = fmt::format("{} walk {}", at_.split, walk.number);
    throw Error(what, {.file = at_.file.string(),
                       .place = position < 0 ? place : fmt::format("{}, position {}", place, position),
                       .advice = advice});
  }

  void apply_mask(std::int64_t begin, Walk& walk) const {
    std::int64_t kept = 0;
    while (kept < walk.tokens && lists_.value(begin + kept) == 1) ++kept;
    for (std::int64_t i = kept; i < walk.tokens; ++i) {
      const std::int64_t value = lists_.value(begin + i);
      if (value == 0) continue;
      const bool is_left = value == 1 && kept == 0;
      refuse(walk, i,
             value != 1 ? fmt::format("attention_mask is {}, neither 0 nor 1", value)
             : is_left  ? std::string("attention_mask has its zeros on the left (left padding)")
                        : std::string("attention_mask has a 1 after a 0 (a hole)"),
             "Only padding on the right is read, which cuts the walk. Write the walks without padding, for example "
             "input_ids = [i for i, m in zip(input_ids, attention_mask) if m], and remove the column attention_mask.");
    }
    if (kept == 0) refuse(walk, -1, "attention_mask is 0 all along: a walk without a token", "Remove the walk.");
    walk.kept = std::min(walk.kept, kept);
  }

  void apply_labels(std::int64_t begin, const ListColumn& ids, Walk& walk) const {
    std::int64_t kept = walk.tokens;
    while (kept > 0 && lists_.value(begin + kept - 1) == kNoLabel) --kept;
    for (std::int64_t i = 0; i < walk.tokens; ++i) {
      const std::int64_t label = lists_.value(begin + i);
      const std::int64_t id = ids.value(walk.begin + i);
      // What is padding by attention_mask has no label for us, also where labels are a plain copy of input_ids.
      if (label == id || (label == kNoLabel && i >= std::min(kept, walk.kept))) continue;
      refuse(walk, i,
             label == kNoLabel ? fmt::format("{} is -100 (no loss here) within the walk", name_)
                               : fmt::format("{} is {}, and input_ids is {}", name_, label, id),
             fmt::format("Training predicts every next id of input_ids, and nothing else. Remove the column {} to have "
                         "that (remove_columns of the library datasets), or cut the walks where their loss ends.",
                         name_));
    }
    if (kept == 0) refuse(walk, -1, name_ + " is -100 all along: nothing to predict", "Remove the walk.");
    walk.kept = std::min(walk.kept, kept);
  }

  void check_positions(std::int64_t begin, const Walk& walk) const {
    for (std::int64_t i = 0; i < walk.kept; ++i) {
      if (lists_.value(begin + i) == i) continue;
      refuse(walk, i, fmt::format("position_ids is {}, not {}", lists_.value(begin + i), i),
             "Positions count from 0 in every walk. Write packed walks as walks of their own, and remove the column "
             "position_ids.");
    }
  }

  void check_loss_mask(std::int64_t begin, const Walk& walk) const {
    for (std::int64_t i = 0; i < walk.kept; ++i) {
      if (lists_.value(begin + i) == 1) continue;
      refuse(walk, i, fmt::format("{} is {}, not 1", name_, lists_.value(begin + i)),
             fmt::format("Training predicts every next id. Remove the column {} to have that.", name_));
    }
  }

  std::string name_;
  const ArrowPlace& at_;
  ListColumn lists_;
};

std::vector<TrainingColumn> columns_of(const arrow::RecordBatch& batch, const ArrowPlace& at, ColumnUse& use) {
  std::vector<TrainingColumn> columns;
  for (const char* name : kTrainingColumns) {
    const std::vector<int> indices = batch.schema()->GetAllFieldIndices(name);
    if (indices.empty()) continue;
    if (indices.size() > 1) refuse_batch(at, fmt::format("there is more than one column {}", name));
    if (std::string(name) == "inputs_embeds") {
      throw Error("the column inputs_embeds would replace the embeddings of input_ids",
                  {.file = at.file.string(), .place = "inputs_embeds", .advice = "Remove the column."});
    }
    if (std::find(use.columns.begin(), use.columns.end(), name) == use.columns.end()) use.columns.emplace_back(name);
    columns.emplace_back(*batch.column(indices.front()), name, at);
  }
  return columns;
}

}  // namespace

void refuse_batch(const ArrowPlace& at, const std::string& what) {
  throw Error(what, {.file = at.file.string(), .place = fmt::format("record batch {}", at.batch), .advice = at.advice});
}

ListColumn list_column(const arrow::Array& column, const std::string& name, const ArrowPlace& at) {
  if (column.null_count() > 0) refuse_batch(at, fmt::format("the column {} has a null", name));
  ListColumn result;
  switch (column.type_id()) {
    case arrow::Type::LIST: {
      const auto& list = static_cast<const arrow::ListArray&>(column);
      result.offsets32 = list.raw_value_offsets();
      point_at_items(*list.values(), name, at, result);
      break;
    }
    case arrow::Type::LARGE_LIST: {
      const auto& list = static_cast<const arrow::LargeListArray&>(column);
      result.offsets64 = list.raw_value_offsets();
      point_at_items(*list.values(), name, at, result);
      break;
    }
    case arrow::Type::FIXED_SIZE_LIST: {
      const auto& list = static_cast<const arrow::FixedSizeListArray&>(column);
      result.fixed_length = list.value_length();
      point_at_items(*list.values(), name, at, result);
      break;
    }
    default:
      refuse_batch(at, fmt::format("the column {} is {}, not a list", name, column.type()->ToString()));
  }
  return result;
}

std::vector<int> training_columns(const arrow::Schema& schema) {
  std::vector<int> indices;
  for (const char* name : kTrainingColumns) {
    for (const int index : schema.GetAllFieldIndices(name)) indices.push_back(index);
  }
  return indices;
}

void apply_training_columns(const arrow::RecordBatch& batch, const ArrowPlace& at, WalkChunk& chunk, ColumnUse& use) {
  const std::vector<TrainingColumn> columns = columns_of(batch, at, use);
  use.walks += chunk.walks;
  if (columns.empty()) return;
  std::vector<std::int64_t> lengths(static_cast<std::size_t>(chunk.walks));
  std::int64_t cut = 0;
  for (std::int64_t row = 0; row < chunk.walks; ++row) {
    const std::int64_t begin = chunk.ids.offset(row);
    const std::int64_t tokens = chunk.ids.offset(row + 1) - begin;
    Walk walk{.number = chunk.first_walk + row, .begin = begin, .tokens = tokens, .kept = tokens};
    for (const TrainingColumn& column : columns) column.apply(row, chunk.ids, walk);
    lengths[row] = walk.kept;
    if (walk.kept < tokens) ++cut;
  }
  if (cut > 0) chunk.cut_lengths = std::move(lengths);
  use.cut += cut;
}

}  // namespace strider
