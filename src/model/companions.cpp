#include "model/companions.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/atomic_file.h"
#include "io/json.h"
#include "model/folder.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr const char* kVocabulary = "vocab.json";
constexpr const char* kTokenizer = "tokenizer.json";
constexpr const char* kWords = "vocab.txt";
// What transformers' tokenizers save.
constexpr const char* kFiles[] = {kTokenizer,
                                  kVocabulary,
                                  kWords,
                                  "tokenizer_config.json",
                                  "special_tokens_map.json",
                                  "added_tokens.json",
                                  "merges.txt",
                                  "tokenizer.model",
                                  "spiece.model",
                                  "sentencepiece.bpe.model",
                                  "chat_template.jinja"};

std::string read_whole(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (!stream) throw Error("cannot read the file", {.file = file.string(), .place = {}, .advice = {}});
  return bytes;
}

[[noreturn]] void fail(const std::string& why) {
  throw Error(why);
}

using Tokens = std::map<std::int64_t, std::string>;  // by id

void add_token(Tokens& tokens, const std::string& text, const json& id, std::int64_t vocab_size) {
  if (!id.is_number_integer() || id.get<std::int64_t>() < 0 || id.get<std::int64_t>() >= vocab_size) {
    fail(fmt::format("its token \"{}\" has the id {}, outside the vocabulary of {}", text, id.dump(), vocab_size));
  }
  const auto [place, is_new] = tokens.emplace(id.get<std::int64_t>(), text);
  if (!is_new && place->second != text) {
    fail(fmt::format("its id {} belongs to \"{}\" and to \"{}\"", place->first, place->second, text));
  }
}

void add_object(Tokens& tokens, const json& vocabulary, std::int64_t vocab_size) {
  for (const auto& [text, id] : vocabulary.items()) add_token(tokens, text, id, vocab_size);
}

Tokens tokens_of_description(const json& description, std::int64_t vocab_size) {
  Tokens tokens;
  const json model = description.is_object() ? description.value("model", json()) : json();
  const json vocabulary = model.is_object() ? model.value("vocab", json()) : json();
  if (vocabulary.is_object()) {
    add_object(tokens, vocabulary, vocab_size);
  } else if (vocabulary.is_array()) {  // Unigram: [token, score] in the order of ids
    for (std::size_t i = 0; i < vocabulary.size(); ++i) {
      const json& entry = vocabulary[i];
      if (!entry.is_array() || entry.empty() || !entry[0].is_string()) fail("its vocabulary is of no known kind");
      add_token(tokens, entry[0].get<std::string>(), json(i), vocab_size);
    }
  } else {
    fail("it has no vocabulary");
  }
  const json added = description.value("added_tokens", json::array());
  if (!added.is_array()) fail("its added_tokens are no list");
  for (const json& entry : added) {
    if (!entry.is_object() || !entry.contains("content") || !entry["content"].is_string() || !entry.contains("id")) {
      fail("its added_tokens are of no known kind");
    }
    add_token(tokens, entry["content"].get<std::string>(), entry["id"], vocab_size);
  }
  return tokens;
}

Tokens tokens_of_words(const std::string& text, std::int64_t vocab_size) {
  Tokens tokens;
  std::int64_t id = 0;
  for (std::size_t at = 0; at < text.size(); ++id) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    add_token(tokens, text.substr(at, end - at), json(id), vocab_size);
    at = end + 1;
  }
  return tokens;
}

void check_names_all(const Tokens& tokens, std::int64_t vocab_size, const std::vector<IdRange>& never_seen) {
  std::int64_t id = 0;
  for (; id < vocab_size; ++id) {
    if (!tokens.contains(id) && !contains(never_seen, id)) fail(fmt::format("it has no token for the id {}", id));
  }
}

std::string vocabulary_text(const Tokens& tokens) {
  ordered_json vocabulary = ordered_json::object();
  auto& entries = vocabulary.get_ref<ordered_json::object_t&>();
  for (const auto& [id, text] : tokens) entries.ordered_json::object_t::Container::emplace_back(text, id);
  return vocabulary.dump(2);
}

const FolderFile* find(const std::vector<FolderFile>& files, const char* name) {
  const auto found =
      std::find_if(files.begin(), files.end(), [&](const FolderFile& file) { return file.name == name; });
  return found == files.end() ? nullptr : &*found;
}

// Checks the files against the vocabulary and adds what is missing for those who read a model folder.
void check_and_complete(std::vector<FolderFile>& files, const fs::path& folder, std::int64_t vocab_size,
                        const std::vector<IdRange>& never_seen) {
  std::optional<Tokens> tokens;
  if (const FolderFile* file = find(files, kWords)) tokens = tokens_of_words(file->bytes, vocab_size);
  if (const FolderFile* file = find(files, kVocabulary)) {
    const json vocabulary = parse_json(file->bytes, folder / kVocabulary);
    if (!vocabulary.is_object()) fail("its vocab.json is no object");
    tokens.emplace();
    add_object(*tokens, vocabulary, vocab_size);
    if (find(files, kTokenizer) == nullptr) check_names_all(*tokens, vocab_size, never_seen);
  }
  if (const FolderFile* file = find(files, kTokenizer)) {
    tokens = tokens_of_description(parse_json(file->bytes, folder / kTokenizer), vocab_size);
  }
  if (!tokens) fail("none of its files that can be read here (tokenizer.json, vocab.json, vocab.txt) is there");
  check_names_all(*tokens, vocab_size, never_seen);
  const bool is_alone = files.size() == 1 && find(files, kVocabulary) != nullptr;
  if (find(files, kVocabulary) == nullptr) files.push_back({kVocabulary, vocabulary_text(*tokens)});
  if (is_alone) {
    for (FolderFile& file : tokenizer_files(ordered_json::parse(vocabulary_text(*tokens)).dump())) {
      if (file.name != kVocabulary) files.push_back(std::move(file));
    }
  }
}

}  // namespace

void write_companions(const fs::path& folder, const ModelCompanions& companions, std::int64_t vocab_size) {
  for (const FolderFile& file : companions.tokenizer) write_file_atomically(folder / file.name, file.bytes);
  if (companions.tokenizer.empty()) write_tokenizer(folder, vocab_size);
  if (!companions.never_seen) return;
  ordered_json ranges = ordered_json::array();
  for (const IdRange& range : *companions.never_seen) ranges.push_back({range.first, range.last});
  const ordered_json text = {{"version", kVersion}, {"vocab_size", vocab_size}, {"never_seen_ids", ranges}};
  write_file_atomically(folder / kTokensFile, text.dump() + "\n");
}

std::optional<std::vector<IdRange>> read_never_seen(const fs::path& folder) {
  const fs::path file = folder / kTokensFile;
  if (!fs::exists(file)) return std::nullopt;
  const json object = read_json(file);
  const auto refuse = [&](const std::string& what) {
    throw Error(what, {.file = file.string(),
                       .place = "never_seen_ids",
                       .advice = "Copy the model again, or remove this file: then no token is marked as never seen."});
  };
  if (json_integer(object, "version", file) != kVersion) refuse("this version of the file is not known");
  if (!object.contains("never_seen_ids") || !object["never_seen_ids"].is_array()) refuse("the list is missing");
  std::vector<IdRange> ranges;
  for (const json& entry : object["never_seen_ids"]) {
    const bool is_range =
        entry.is_array() && entry.size() == 2 && entry[0].is_number_integer() && entry[1].is_number_integer();
    if (!is_range) refuse("an entry is no pair of ids");
    const IdRange range{entry[0].get<std::int64_t>(), entry[1].get<std::int64_t>()};
    if (range.first > range.last || range.first < (ranges.empty() ? 0 : ranges.back().last + 1)) {
      refuse("the ranges are not ascending");
    }
    ranges.push_back(range);
  }
  return ranges;
}

FoundTokenizer find_tokenizer(const fs::path& folder, std::int64_t vocab_size, const std::vector<IdRange>& never_seen) {
  FoundTokenizer found;
  try {
    for (const char* name : kFiles) {
      if (fs::is_regular_file(folder / name)) found.files.push_back({name, read_whole(folder / name)});
    }
    if (!found.files.empty()) check_and_complete(found.files, folder, vocab_size, never_seen);
  } catch (const Error& error) {  // a model without it is a whole one, so that this is said and no more
    found.files.clear();
    found.why_not = error.message();
    if (!error.details().place.empty()) {
      found.why_not +=
          fmt::format(" ({}, {})", fs::path(error.details().file).filename().string(), error.details().place);
    }
  }
  return found;
}

}  // namespace strider
