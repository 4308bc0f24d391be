#pragma once
// What lies in a model folder beside configuration and weights: the tokenizer's files, and strider_tokens.json, which
// says what training knows of the tokens and which transformers passes over:
//   version         1
//   vocab_size      of the model
//   never_seen_ids  [[first, last], ...]: ids without a place in any walk that the weights were trained on
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/id_ranges.h"

namespace strider {

inline constexpr const char* kTokensFile = "strider_tokens.json";

struct FolderFile {
  std::string name;
  std::string bytes;
};

struct ModelCompanions {
  std::vector<FolderFile> tokenizer;               // empty: the ids themselves are the tokens (write_tokenizer)
  std::optional<std::vector<IdRange>> never_seen;  // nothing: not known, and not written
};

/// Writes them into `folder`, which exists.
void write_companions(const std::filesystem::path& folder, const ModelCompanions& companions, std::int64_t vocab_size);

/// never_seen_ids of a model folder; nothing where it has no such file. Throws Error when the file is damaged.
std::optional<std::vector<IdRange>> read_never_seen(const std::filesystem::path& folder);

struct FoundTokenizer {
  std::vector<FolderFile> files;  // to keep; empty: there is none, or it does not fit
  std::string why_not;            // why it does not fit; empty where there is none, or it fits
};

/// The tokenizer's files in a dataset folder (tokenizer.json, vocab.json, vocab.txt and those that go with them). They
/// fit when every id of theirs is below vocab_size and has one token, and every id of the vocabulary but those in
/// `never_seen` has one. Where the folder has vocab.json alone, a tokenizer that splits on white space is added; where
/// it has none, vocab.json is added, which the extraction reads.
FoundTokenizer find_tokenizer(const std::filesystem::path& folder, std::int64_t vocab_size,
                              const std::vector<IdRange>& never_seen);

}  // namespace strider
