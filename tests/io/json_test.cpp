#include "io/json.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "golden.h"

namespace strider {
namespace {

using nlohmann::json;

/// The error that `action` throws; an empty one with the message "accepted" when it throws none.
template <class Action>
Error error_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  return Error("accepted");
}

Error parse_error(std::string_view text) {
  return error_of([&] { parse_json(text, "some.json"); });
}

TEST(Json, BrokenTextIsPlacedByLineAndColumn) {
  const std::pair<const char*, const char*> cases[] = {
      {"{\"a\": 1,\n \"b\": oops}", "line 2, column 7"},
      {"", "line 1, column 1"},
      {"{\"a\": 1", "line 1, column 8"},
      {"[1, 2,\n\n]", "line 3, column 1"},
      {"{} {}", "line 1, column 4"},
      {"[NaN]", "line 1, column 2"},
      {"[\n1e999]", "line 2, column 5"},
      {"[\"\xff\"]", "line 1, column 3"},
      {"{\"a\" 1}", "line 1, column 6"},
  };
  for (const auto& [text, place] : cases) {
    const Error error = parse_error(text);
    EXPECT_NE(error.message().find("broken JSON"), std::string::npos) << text << ": " << error.message();
    EXPECT_EQ(error.details().place, place) << text;
    EXPECT_EQ(error.details().file, "some.json");
    EXPECT_FALSE(error.details().advice.empty());
  }
}

TEST(Json, TheReasonIsGivenWithoutTheLibrarysNumbers) {
  const std::string message = parse_error("{\"a\": 1").message();
  EXPECT_NE(message.find("unexpected end of input"), std::string::npos) << message;
  EXPECT_EQ(message.find("json.exception"), std::string::npos) << message;
  EXPECT_EQ(message.find("line 1"), std::string::npos) << message;
  EXPECT_EQ(parse_error("[\"" + std::string(5000, 'x')).message(), "broken JSON");
}

TEST(Json, DeepNestingIsRefusedBeforeItOverflowsTheStack) {
  for (const char* open : {"[", "{\"a\":"}) {
    std::string bomb;
    for (int i = 0; i < 1'000'000; ++i) bomb += open;
    EXPECT_NE(parse_error(bomb).message().find("levels deep"), std::string::npos);
  }
  const std::string brackets(2000, '[');
  EXPECT_EQ(parse_json("{\"in a \\\"string\": \"" + brackets + "\"}", "x")["in a \"string"], brackets);
  std::string wide = "[";
  for (int i = 0; i < 2000; ++i) wide += "[],{},";
  EXPECT_EQ(parse_json(wide + "0]", "x").size(), 4001U);
}

TEST(Json, FilesThatCannotBeReadAreNamed) {
  const test::ScratchFolder scratch;
  const std::filesystem::path missing = scratch / "none.json";
  const Error error = error_of([&] { read_json(missing); });
  EXPECT_NE(error.message().find("No such file"), std::string::npos) << error.message();
  EXPECT_EQ(error.details().file, missing.string());
  EXPECT_NE(error_of([&] { read_json(scratch.path()); }).message(), "accepted") << "a folder";
  EXPECT_EQ(error_of([&] { read_json(scratch.write("empty.json", "")); }).details().place, "line 1, column 1");
  std::filesystem::resize_file(scratch.write("huge.json", ""), (1ULL << 30) + 1);  // sparse
  EXPECT_NE(error_of([&] { read_json(scratch / "huge.json"); }).message().find("too many"), std::string::npos);
  EXPECT_EQ(read_json(scratch.write("good.json", "{\"a\": [1, 2.5]}\n")), json({{"a", {1, 2.5}}}));
}

TEST(Json, FieldsAreOfTheirTypeOrNamed) {
  const json object = {{"whole", 7},        {"float_whole", 3e3}, {"half", 0.5},
                       {"text", "x"},       {"flag", true},       {"nothing", nullptr},
                       {"big", UINT64_MAX}, {"far", 1e300},       {"long", std::string(500, 'y')}};
  EXPECT_EQ(json_integer(object, "whole", "f"), 7);
  EXPECT_EQ(json_integer(object, "float_whole", "f"), 3000);
  EXPECT_EQ(json_number(object, "half", "f"), 0.5);
  EXPECT_EQ(json_number(object, "whole", "f"), 7.0);
  EXPECT_TRUE(json_boolean(object, "flag", "f"));
  EXPECT_EQ(json_string(object, "text", "f"), "x");
  for (const char* field : {"half", "text", "flag", "nothing", "big", "far", "absent"}) {
    const Error error = error_of([&] { json_integer(object, field, "f"); });
    EXPECT_NE(error.message().find(field), std::string::npos) << error.message();
    EXPECT_EQ(error.details().file, "f");
  }
  EXPECT_EQ(error_of([&] { json_number(object, "text", "f"); }).message(),
            "the field \"text\" is \"x\", where a number is expected");
  EXPECT_NE(error_of([&] { json_boolean(object, "whole", "f"); }).message(), "accepted");
  EXPECT_NE(error_of([&] { json_string(object, "whole", "f"); }).message(), "accepted");
  EXPECT_LT(error_of([&] { json_integer(object, "long", "f"); }).message().size(), 200U);
  EXPECT_NE(error_of([&] { json_integer(json::array(), "a", "f"); }).message(), "accepted");
}

}  // namespace
}  // namespace strider
