#pragma once
// What the tests of the data room share: copies of golden datasets to damage, Arrow files of any shape, what Errors
// say.
#include <arrow/api.h>
#include <arrow/io/api.h>
#include <arrow/ipc/api.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/walk_dataset.h"
#include "golden.h"

namespace strider::test {

using Walks = std::vector<std::vector<std::int32_t>>;

inline Walks walks_of(const WalkSplit& split) {
  Walks walks;
  for (std::int64_t i = 0; i < split.size(); ++i) {
    walks.emplace_back(static_cast<std::size_t>(split.length(i)));
    EXPECT_EQ(split.read(i, walks.back()), walks.back().size());
  }
  return walks;
}

/// The Error that `action` throws; a test failure when it throws none.
inline ErrorDetails error_of(const std::function<void()>& action, std::string* message = nullptr) {
  try {
    action();
  } catch (const Error& error) {
    if (message != nullptr) *message = error.message();
    return error.details();
  }
  ADD_FAILURE() << "no Error was thrown";
  return {};
}

/// A copy of a golden dataset.
inline std::filesystem::path copy_golden(const ScratchFolder& scratch, const std::string& name) {
  const std::filesystem::path copy = scratch / "dataset";
  std::filesystem::remove_all(copy);
  std::filesystem::copy(golden("datasets/" + name), copy, std::filesystem::copy_options::recursive);
  return copy;
}

/// A column of walks. A walk of {-1} is null, and so is an id of -2.
inline std::shared_ptr<arrow::Array> list_column(const std::shared_ptr<arrow::DataType>& type, const Walks& walks) {
  const auto item_type = type->field(0)->type();
  const auto lists = arrow::MakeBuilder(type).ValueOrDie();
  for (const auto& walk : walks) {
    if (walk == std::vector<std::int32_t>{-1}) {
      EXPECT_TRUE(lists->AppendNull().ok());
      continue;
    }
    const auto items = arrow::MakeBuilder(item_type).ValueOrDie();
    for (const std::int32_t id : walk) {
      EXPECT_TRUE(
          (id == -2 ? items->AppendNull() : items->AppendScalar(*arrow::MakeScalar(item_type, id).ValueOrDie())).ok());
    }
    const auto array = items->Finish().ValueOrDie();
    std::shared_ptr<arrow::Scalar> list;
    if (type->id() == arrow::Type::LARGE_LIST) list = std::make_shared<arrow::LargeListScalar>(array, type);
    if (type->id() == arrow::Type::LIST) list = std::make_shared<arrow::ListScalar>(array, type);
    if (type->id() == arrow::Type::FIXED_SIZE_LIST) list = std::make_shared<arrow::FixedSizeListScalar>(array, type);
    EXPECT_TRUE(lists->AppendScalar(*list).ok());
  }
  return lists->Finish().ValueOrDie();
}

struct Column {
  std::string name;
  std::shared_ptr<arrow::Array> values;
};

/// A dataset folder without splits whose one shard holds these columns as one record batch.
inline std::filesystem::path write_columns(const ScratchFolder& scratch, const std::vector<Column>& columns,
                                           std::int64_t vocab_size = 1000) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const Column& column : columns) {
    fields.push_back(arrow::field(column.name, column.values->type()));
    arrays.push_back(column.values);
  }
  scratch.write("dataset/state.json", R"({"_data_files": [{"filename": "data.arrow"}]})");
  scratch.write("dataset/vocab_info.json", "{\"vocab_size\": " + std::to_string(vocab_size) + "}");
  const auto schema = arrow::schema(fields);
  const auto file = arrow::io::FileOutputStream::Open(scratch / "dataset/data.arrow").ValueOrDie();
  const auto writer = arrow::ipc::MakeStreamWriter(file, schema).ValueOrDie();
  EXPECT_TRUE(writer->WriteRecordBatch(*arrow::RecordBatch::Make(schema, arrays[0]->length(), arrays)).ok());
  EXPECT_TRUE(writer->Close().ok());
  EXPECT_TRUE(file->Close().ok());
  return scratch / "dataset";
}

}  // namespace strider::test
