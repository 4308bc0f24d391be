// A tokenizer whose tokens are the ids themselves, in the files that transformers' AutoTokenizer reads.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "io/atomic_file.h"
#include "io/json.h"
#include "model/folder.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

// A word level model over the words between spaces; decoding joins with spaces. The library asks for the name of an
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

// Batches of walks need a padding token, and every id is a node: the token of id 0 pads, as in the reference, and the
// attention mask says where it does. It is found as a whole word only ("0" is not in "10"), which cannot be said of
// tokens that hold something else than letters and digits; then there is no padding token.
std::optional<std::string> padding_token(const ordered_json& vocab) {
  std::optional<std::string> padding;
  for (const auto& [token, id] : vocab.items()) {
    const auto is_word = [](unsigned char letter) { return std::isalnum(letter) != 0 || letter == '_'; };
    if (!std::ranges::all_of(token, is_word)) return std::nullopt;
    if (id == 0) padding = token;
  }
  return padding;
}

std::vector<FolderFile> files_for(const ordered_json& vocab) {
  ordered_json description = tokenizer_description(vocab);
  ordered_json special = ordered_json::object();
  ordered_json config;
  config["added_tokens_decoder"] = ordered_json::object();
  if (const std::optional<std::string> padding = padding_token(vocab)) {
    const ordered_json added = {{"content", *padding}, {"lstrip", false},     {"normalized", false},
                                {"rstrip", false},     {"single_word", true}, {"special", false}};
    config["added_tokens_decoder"]["0"] = added;
    config["pad_token"] = special["pad_token"] = *padding;
    ordered_json entry = {{"id", 0}};
    entry.update(added);
    description["added_tokens"].push_back(entry);
  }
  config["clean_up_tokenization_spaces"] = false;
  config["extra_special_tokens"] = ordered_json::object();
  config["model_input_names"] = {"input_ids", "attention_mask"};
  config["tokenizer_class"] = "PreTrainedTokenizerFast";
  return {{"vocab.json", vocab.dump(2)},
          {"tokenizer.json", description.dump(2)},
          {"tokenizer_config.json", config.dump(2) + "\n"},
          {"special_tokens_map.json", special.dump(2) + "\n"}};
}

}  // namespace

void write_tokenizer(const fs::path& folder, std::int64_t vocab_size) {
  ordered_json vocab = ordered_json::object();
  // ordered_json looks through all keys at each insertion, so a large vocabulary is filled underneath it.
  auto& entries = vocab.get_ref<ordered_json::object_t&>();
  entries.reserve(vocab_size);
  for (std::int64_t id = 0; id < vocab_size; ++id)
    entries.ordered_json::object_t::Container::emplace_back(std::to_string(id), id);
  for (const FolderFile& file : files_for(vocab)) write_file_atomically(folder / file.name, file.bytes);
}

std::vector<FolderFile> tokenizer_files(const std::string& vocab) {
  return files_for(ordered_json::parse(vocab));
}

namespace {

// `vocab` is null where the ids themselves are the tokens; `file` is where it comes from.
std::vector<std::int64_t> token_ids_of(const nlohmann::json& vocab, const std::string& file, std::int64_t vocab_size,
                                       std::vector<std::string>* texts) {
  std::vector<std::pair<std::int64_t, std::string>> tokens;
  if (vocab.is_null()) {
    for (std::int64_t id = 0; id < vocab_size; ++id) tokens.emplace_back(id, std::to_string(id));
  } else {
    if (!vocab.is_object()) throw Error("a vocabulary is a JSON object", {.file = file, .place = {}, .advice = {}});
    for (const auto& [token, id] : vocab.items()) {
      if (!id.is_number_integer() || id.get<std::int64_t>() < 0 || id.get<std::int64_t>() >= vocab_size) {
        throw Error(fmt::format("the token \"{}\" has the id {}, outside the model's vocabulary of {}", token,
                                id.dump(), vocab_size),
                    {.file = file, .place = {}, .advice = "The vocabulary must be that of this model."});
      }
      tokens.emplace_back(id.get<std::int64_t>(), token);
    }
    if (tokens.empty()) throw Error("the vocabulary is empty", {.file = file, .place = {}, .advice = {}});
    std::sort(tokens.begin(), tokens.end());
  }
  const auto twice =
      std::adjacent_find(tokens.begin(), tokens.end(), [](const auto& a, const auto& b) { return a.first == b.first; });
  if (twice != tokens.end()) {
    throw Error(fmt::format("the id {} belongs to two tokens", twice->first),
                {.file = file, .place = {}, .advice = "Each token has its own id."});
  }
  std::vector<std::int64_t> ids;
  for (auto& [id, token] : tokens) {
    ids.push_back(id);
    if (texts != nullptr) texts->push_back(std::move(token));
  }
  return ids;
}

}  // namespace

std::vector<std::int64_t> read_token_ids(const fs::path& folder, std::int64_t vocab_size,
                                         std::vector<std::string>* texts) {
  const fs::path file = folder / "vocab.json";
  return token_ids_of(fs::exists(file) ? read_json(file) : nlohmann::json(), file.string(), vocab_size, texts);
}

std::vector<std::int64_t> read_token_ids(const ModelCompanions& companions, std::int64_t vocab_size,
                                         std::vector<std::string>* texts) {
  const auto vocab = std::ranges::find(companions.tokenizer, "vocab.json", &FolderFile::name);
  const bool is_there = vocab != companions.tokenizer.end();
  return token_ids_of(is_there ? nlohmann::json::parse(vocab->bytes) : nlohmann::json(), "vocab.json", vocab_size,
                      texts);
}

}  // namespace strider
