#pragma once
// What the value of an option is, written as the option's type name in CLI11: "{a,b}" for one of some words, kFileType
// or kFolderType for a place, anything else for what no shell can complete. Help shows the option's own text instead.
#include <string>
#include <vector>

#include "base/setting.h"

namespace strider::cli {

inline constexpr const char* kFileType = "FILE";
inline constexpr const char* kFolderType = "FOLDER";
inline constexpr const char* kOtherType = "VALUE";

inline std::string words_type(const std::vector<std::string>& words) {
  std::string type = "{";
  for (const std::string& word : words) type += (type.size() > 1 ? "," : "") + word;
  return type + "}";
}

inline std::string value_type(const SettingFacts& facts) {
  if (facts.path != PathKind::kNone) return facts.path == PathKind::kFolder ? kFolderType : kFileType;
  if (facts.kind == SettingKind::kSwitch) return words_type({"true", "false"});
  if (facts.words.empty()) return kOtherType;
  std::vector<std::string> words;
  for (const auto& [word, value] : facts.words) words.push_back(word);
  return words_type(words);
}

}  // namespace strider::cli
