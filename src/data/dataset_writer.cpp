#include "data/dataset_writer.h"

#include <arrow/array/builder_nested.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/io/file.h>
#include <arrow/ipc/writer.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.h"
#include "data/arrow_status.h"
#include "data/file_errors.h"
#include "io/atomic_file.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::int64_t kRowsPerBatch = 1000;
constexpr const char* kCannotWrite = "cannot write the dataset";
constexpr const char* kWriteAdvice = "Free some space there, or choose another folder.";

// With the spaces of Python's json.dumps, so that the bytes of a file are those of `datasets`. But for one word:
// version 4 writes the type of a list as "List", which version 3 cannot open; both read "Sequence".
constexpr const char* kFeatures =
    R"({"walk_id": {"dtype": "int64", "_type": "Value"}, "length": {"dtype": "int64", "_type": "Value"}, )"
    R"("input_ids": {"feature": {"dtype": "int32", "_type": "Value"}, "_type": "Sequence"}})";

std::shared_ptr<arrow::Schema> dataset_schema() {
  return arrow::schema(
      {arrow::field("walk_id", arrow::int64()), arrow::field("length", arrow::int64()),
       arrow::field("input_ids", arrow::list(arrow::int32()))},
      arrow::key_value_metadata({"huggingface"}, {fmt::format(R"({{"info": {{"features": {}}}}})", kFeatures)}));
}

// Names a split's content: `datasets` keeps what it computed from a dataset under this name. FNV-1a (Fowler, Noll, Vo)
// over whole numbers instead of bytes.
class Fingerprint {
 public:
  void add(std::int64_t number) { state_ = (state_ ^ static_cast<std::uint64_t>(number)) * 0x100000001b3ULL; }
  std::string text() const { return fmt::format("{:016x}", state_); }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

// One Arrow file, filled row by row.
class ShardWriter {
 public:
  explicit ShardWriter(fs::path file)
      : file_(std::move(file)),
        schema_(dataset_schema()),
        walk_ids_(arrow::system_memory_pool()),
        lengths_(arrow::system_memory_pool()),
        ids_(std::make_shared<arrow::Int32Builder>(arrow::system_memory_pool())),
        lists_(arrow::system_memory_pool(), ids_) {
    arrow::ipc::IpcWriteOptions options = arrow::ipc::IpcWriteOptions::Defaults();
    options.memory_pool = arrow::system_memory_pool();
    options.use_threads = false;
    stream_ = take_arrow(arrow::io::FileOutputStream::Open(file_.string()), kCannotWrite, file_, kWriteAdvice);
    writer_ = take_arrow(arrow::ipc::MakeStreamWriter(stream_, schema_, options), kCannotWrite, file_, kWriteAdvice);
  }

  void add(std::int64_t walk_id, std::span<const std::int32_t> ids) {
    check(walk_ids_.Append(walk_id));
    check(lengths_.Append(static_cast<std::int64_t>(ids.size())));
    check(lists_.Append());
    check(ids_->AppendValues(ids.data(), static_cast<std::int64_t>(ids.size())));
    if (walk_ids_.length() == kRowsPerBatch) write_batch();
  }

  void close() {
    if (walk_ids_.length() > 0) write_batch();
    check(writer_->Close());
    check(stream_->Close());
  }

 private:
  void check(const arrow::Status& status) const { check_arrow(status, kCannotWrite, file_, kWriteAdvice); }

  void write_batch() {
    const std::int64_t rows = walk_ids_.length();
    std::vector<std::shared_ptr<arrow::Array>> columns(3);
    check(walk_ids_.Finish(&columns[0]));
    check(lengths_.Finish(&columns[1]));
    check(lists_.Finish(&columns[2]));
    check(writer_->WriteRecordBatch(*arrow::RecordBatch::Make(schema_, rows, std::move(columns))));
  }

  fs::path file_;
  std::shared_ptr<arrow::Schema> schema_;
  arrow::Int64Builder walk_ids_;
  arrow::Int64Builder lengths_;
  std::shared_ptr<arrow::Int32Builder> ids_;
  arrow::ListBuilder lists_;
  std::shared_ptr<arrow::io::FileOutputStream> stream_;
  std::shared_ptr<arrow::ipc::RecordBatchWriter> writer_;
};

// The rows of shard `index` of `count`: consecutive, the first ones longer by one where they do not divide evenly.
std::span<const std::int64_t> shard_rows(std::span<const std::int64_t> rows, std::size_t index, std::size_t count) {
  const std::size_t each = rows.size() / count;
  const std::size_t longer = rows.size() % count;
  return rows.subspan(each * index + std::min(index, longer), each + (index < longer ? 1 : 0));
}

// `datasets` estimates a split's bytes as its share of the rows of the whole table.
std::size_t shard_count(const WalksCsv& walks, std::size_t rows, std::int64_t max_shard_bytes) {
  const std::int64_t table_bytes = walks.size() * 16 + (walks.size() + 1 + walks.tokens()) * 4;
  const double share = static_cast<double>(rows) / static_cast<double>(walks.size());
  const double split_bytes = static_cast<double>(table_bytes) * share;
  const auto count = static_cast<std::size_t>(split_bytes / static_cast<double>(max_shard_bytes)) + 1;
  return std::min(count, rows);
}

void write_descriptions(const fs::path& folder, const Json& data_files, const std::string& fingerprint) {
  const Json info = {
      {"citation", ""}, {"description", ""}, {"features", Json::parse(kFeatures)}, {"homepage", ""}, {"license", ""}};
  const Json state = {{"_data_files", data_files},  {"_fingerprint", fingerprint},
                      {"_format_columns", nullptr}, {"_format_kwargs", Json::object()},
                      {"_format_type", nullptr},    {"_output_all_columns", false},
                      {"_split", nullptr}};
  write_file_atomically(folder / "dataset_info.json", info.dump(2));
  write_file_atomically(folder / "state.json", state.dump(2));
}

void write_split(const fs::path& folder, const WalksCsv& walks, const SplitToWrite& split,
                 std::int64_t max_shard_bytes) {
  const std::size_t shards = shard_count(walks, split.rows.size(), max_shard_bytes);
  Json data_files = Json::array();
  Fingerprint fingerprint;
  std::vector<std::int32_t> ids;
  std::error_code status;
  fs::create_directory(folder, status);
  if (status) {
    throw system_error(kCannotWrite, status.value(), {.file = folder.string(), .place = {}, .advice = kWriteAdvice});
  }
  for (std::size_t shard = 0; shard < shards; ++shard) {
    const std::string name = fmt::format("data-{:05}-of-{:05}.arrow", shard, shards);
    data_files.push_back({{"filename", name}});
    ShardWriter writer(folder / name);
    for (const std::int64_t row : shard_rows(split.rows, shard, shards)) {
      ids.resize(walks.length(row));
      walks.read(row, ids);
      writer.add(walks.walk_id(row), ids);
      fingerprint.add(walks.walk_id(row));
      fingerprint.add(walks.length(row));
      for (const std::int32_t id : ids) fingerprint.add(id);
    }
    writer.close();
  }
  write_descriptions(folder, data_files, fingerprint.text());
}

std::string vocab_info_text(const WalksCsv& walks, const WalkKnowledge& knowledge) {
  Json info = {{"vocab_size", walks.max_id() + 1}, {"min_id", walks.min_id()}, {"max_id", walks.max_id()}};
  const TokenCounts::Summary seen = walks.counts().summary();
  info["ids_seen"] = seen.ids;
  info["times_seen"] = {{"min", seen.least}, {"median", seen.median}, {"max", seen.most}};
  Json& never = info["never_seen_ids"] = Json::array();
  for (const IdRange& range : walks.counts().never(walks.max_id() + 1)) never.push_back({range.first, range.last});
  info["best_loss"] = knowledge.best_loss ? Json(*knowledge.best_loss) : Json();
  info["walk_rule"] = knowledge.walk_rule.empty() ? Json() : Json::parse(knowledge.walk_rule);
  return info.dump(2);
}

bool is_split_file(const fs::directory_entry& entry) {
  const fs::path name = entry.path().filename();
  return entry.is_regular_file() &&
         (name == "dataset_info.json" || name == "state.json" || name.extension() == ".arrow");
}

[[noreturn]] void refuse_to_replace(const fs::path& folder, const std::string& why) {
  throw Error(fmt::format("{}; it is not replaced by a dataset", why),
              {.file = folder.string(), .place = {}, .advice = "Choose another DATASET_DIR, or move it away."});
}

void check_replaceable(const fs::path& folder) {
  if (!fs::exists(fs::symlink_status(folder))) return;
  if (!fs::is_directory(folder)) refuse_to_replace(folder, "this is no folder");
  if (fs::is_empty(folder)) return;
  if (!fs::exists(folder / "dataset_dict.json") && !fs::exists(folder / "state.json")) {
    refuse_to_replace(folder, "this folder has other things than a dataset in it");
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const fs::path name = entry.path().filename();
    if (is_split_file(entry) || name == "dataset_dict.json" || name == "vocab_info.json" || name == "vocab.json")
      continue;
    const bool is_split = entry.is_directory() && !entry.is_symlink() && fs::exists(entry.path() / "state.json") &&
                          std::all_of(fs::directory_iterator(entry), fs::directory_iterator(), is_split_file);
    if (!is_split) refuse_to_replace(folder, fmt::format("\"{}\" is no part of a dataset", name.string()));
  }
}

}  // namespace

void check_dataset_folder_replaceable(const fs::path& folder) {
  with_file_errors([&] { check_replaceable(folder); });
}

Notices write_dataset(const fs::path& folder, const WalksCsv& walks, std::span<const SplitToWrite> splits,
                      const WalkKnowledge& knowledge, std::int64_t max_shard_bytes) {
  check_dataset_folder_replaceable(folder);
  AtomicFolder whole(folder);
  std::string names;
  for (const SplitToWrite& split : splits) {
    write_split(whole.path() / split.name, walks, split, max_shard_bytes);
    names += fmt::format("{}{}", names.empty() ? "" : ", ", Json(split.name).dump());
  }
  write_file_atomically(whole.path() / "dataset_dict.json", fmt::format(R"({{"splits": [{}]}})", names));
  write_file_atomically(whole.path() / "vocab_info.json", vocab_info_text(walks, knowledge));
  if (!knowledge.vocabulary.empty()) write_file_atomically(whole.path() / "vocab.json", knowledge.vocabulary);
  return whole.commit();
}

}  // namespace strider
