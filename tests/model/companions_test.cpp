#include "model/companions.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "golden.h"
#include "model/folder.h"

namespace strider {
namespace {

std::string json_of(const FoundTokenizer& found, const std::string& name) {
  for (const FolderFile& file : found.files) {
    if (file.name == name) return nlohmann::json::parse(file.bytes).dump();
  }
  return "none";
}

TEST(FindTokenizer, ThereIsNone) {
  const test::ScratchFolder scratch;
  scratch.write("train/state.json", "{}");
  const FoundTokenizer found = find_tokenizer(scratch.path(), 3, {});
  EXPECT_TRUE(found.files.empty());
  EXPECT_EQ(found.why_not, "");
}

TEST(FindTokenizer, VocabulariesOfEveryKind) {
  for (const auto& [name, text] : std::vector<std::pair<std::string, std::string>>{
           {"tokenizer.json", R"({"model": {"type": "WordLevel", "vocab": {"a": 0, "b": 1, "c": 2}}})"},
           {"tokenizer.json", R"({"model": {"type": "Unigram", "vocab": [["a", -1.5], ["b", -2], ["c", 0]]}})"},
           {"tokenizer.json", R"({"model": {"vocab": {"a": 0}}, "added_tokens": [{"id": 1, "content": "b"},
                                                                                    {"id": 2, "content": "c"}]})"},
           {"vocab.txt", "a\nb\nc\n"}}) {
    const test::ScratchFolder scratch;
    scratch.write(name, text);
    scratch.write("tokenizer_config.json", "{}");
    const FoundTokenizer found = find_tokenizer(scratch.path(), 3, {});
    EXPECT_EQ(found.why_not, "") << text;
    EXPECT_EQ(json_of(found, "vocab.json"), R"({"a":0,"b":1,"c":2})") << text;
    EXPECT_EQ(json_of(found, "tokenizer_config.json"), "{}");
    EXPECT_NE(find_tokenizer(scratch.path(), 2, {}).why_not, "") << text;
    EXPECT_NE(find_tokenizer(scratch.path(), 4, {}).why_not, "") << text;
    EXPECT_EQ(find_tokenizer(scratch.path(), 4, {{3, 3}}).why_not, "") << text;
  }
}

TEST(FindTokenizer, AnyOtherJsonIsNoneAndSaysSo) {
  for (const char* text : {"[]", "7", "{}", R"({"model": 7})", R"({"model": {"vocab": 7}})",
                           R"({"model": {"vocab": [7]}})", R"({"model": {"vocab": {"a": "0"}}})",
                           R"({"model": {"vocab": {"a": -1}}})", R"({"model": {"vocab": {"a": 0}}, "added_tokens": 7})",
                           R"({"model": {"vocab": {"a": 0}}, "added_tokens": [7]})",
                           R"({"model": {"vocab": {"a": 0}}, "added_tokens": [{"id": 1}]})", "{", ""}) {
    const test::ScratchFolder scratch;
    scratch.write("tokenizer.json", text);
    const FoundTokenizer found = find_tokenizer(scratch.path(), 1, {});
    EXPECT_NE(found.why_not, "") << text;
    EXPECT_TRUE(found.files.empty()) << text;
  }
}

TEST(NeverSeen, ComesBackFromTheFolder) {
  const test::ScratchFolder scratch;
  EXPECT_FALSE(read_never_seen(scratch.path()).has_value());
  write_companions(scratch.path(), {.tokenizer = {}, .never_seen = std::nullopt}, 9);
  EXPECT_FALSE(read_never_seen(scratch.path()).has_value());
  EXPECT_EQ(read_token_ids(scratch.path(), 9).size(), 9U);
  write_companions(scratch.path(), {.tokenizer = {}, .never_seen = std::vector<IdRange>{{0, 2}, {7, 7}}}, 9);
  EXPECT_EQ(ranges_text(read_never_seen(scratch.path()).value()), "0 to 2, 7");
}

TEST(NeverSeen, DamageIsRefusedWithItsFile) {
  for (const char* text :
       {"[]", "{}", R"({"version": 2, "never_seen_ids": []})", R"({"version": 1})",
        R"({"version": 1, "never_seen_ids": [7]})", R"({"version": 1, "never_seen_ids": [[1, 2, 3]]})",
        R"({"version": 1, "never_seen_ids": [[2, 1]]})", R"({"version": 1, "never_seen_ids": [[-1, 1]]})",
        R"({"version": 1, "never_seen_ids": [[4, 5], [5, 6]]})"}) {
    const test::ScratchFolder scratch;
    const auto file = scratch.write(kTokensFile, text);
    try {
      read_never_seen(scratch.path());
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.details().file, file.string()) << text;
    }
  }
}

}  // namespace
}  // namespace strider
