// A tokenizer whose tokens are the ids themselves, in the files that transformers' AutoTokenizer reads.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/atomic_file.h"
#include "io/json.h"
#include "model/folder.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

// A word level model over what stands between spaces; decoding joins with spaces. The library asks for the name of an
// unknown token; there is none in the vocabulary, so a word that is no id of it is an error and not some other node.
ordered_json tokenizer_description(const ordered_json& vocab) {
  ordered_json description;
  description["version"] = "1.0";
  description["truncation"] = nullptr;
  description["padding"] = nullptr;
  description["added_tokens"] = ordered_json::array();
  description["normalizer"] = nullptr;
  description["pre_tokenizer"] = {{"type", "WhitespaceSplit"}};
  description["post_processor"] = nullptr;
  description["decoder"] = nullptr;
  description["model"] = {{"type", "WordLevel"}, {"vocab", vocab}, {"unk_token", "<unk>"}};
  return description;
}

}  // namespace

void write_tokenizer(const fs::path& folder, std::int64_t vocab_size) {
  ordered_json vocab = ordered_json::object();
  // ordered_json looks through all keys at each insertion, so a large vocabulary is filled underneath it.
  auto& entries = vocab.get_ref<ordered_json::object_t&>();
  entries.reserve(static_cast<std::size_t>(vocab_size));
  for (std::int64_t id = 0; id < vocab_size; ++id)
    entries.ordered_json::object_t::Container::emplace_back(std::to_string(id), id);
  write_file_atomically(folder / "vocab.json", vocab.dump(2));
  write_file_atomically(folder / "tokenizer.json", tokenizer_description(vocab).dump(2));
  ordered_json config;
  config["added_tokens_decoder"] = ordered_json::object();
  config["clean_up_tokenization_spaces"] = false;
  config["extra_special_tokens"] = ordered_json::object();
  config["model_input_names"] = {"input_ids", "attention_mask"};
  config["tokenizer_class"] = "PreTrainedTokenizerFast";
  write_file_atomically(folder / "tokenizer_config.json", config.dump(2) + "\n");
  write_file_atomically(folder / "special_tokens_map.json", "{}\n");
}

std::vector<std::int64_t> read_token_ids(const fs::path& folder, std::int64_t vocab_size) {
  const fs::path file = folder / "vocab.json";
  std::vector<std::int64_t> ids;
  if (!fs::exists(file)) {
    for (std::int64_t id = 0; id < vocab_size; ++id) ids.push_back(id);
    return ids;
  }
  const nlohmann::json vocab = read_json(file);
  if (!vocab.is_object())
    throw Error("a vocabulary is a JSON object", {.file = file.string(), .place = {}, .advice = {}});
  for (const auto& [token, id] : vocab.items()) {
    if (!id.is_number_integer() || id.get<std::int64_t>() < 0 || id.get<std::int64_t>() >= vocab_size) {
      throw Error(fmt::format("the token \"{}\" has the id {}, outside the model's vocabulary of {}", token, id.dump(),
                              vocab_size),
                  {.file = file.string(), .place = {}, .advice = "The vocabulary must be that of this model."});
    }
    ids.push_back(id.get<std::int64_t>());
  }
  if (ids.empty()) throw Error("the vocabulary is empty", {.file = file.string(), .place = {}, .advice = {}});
  std::sort(ids.begin(), ids.end());
  if (const auto twice = std::adjacent_find(ids.begin(), ids.end()); twice != ids.end()) {
    throw Error(fmt::format("the id {} belongs to two tokens", *twice),
                {.file = file.string(), .place = {}, .advice = "Each token has its own id."});
  }
  return ids;
}

}  // namespace strider
