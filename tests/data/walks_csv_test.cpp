#include "data/walks_csv.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "scene.h"

namespace strider {
namespace {

using test::error_of;
using test::ScratchFolder;
using test::Walks;

Walks walks_of(const WalksCsv& csv) {
  Walks walks;
  for (std::int64_t i = 0; i < csv.size(); ++i) {
    walks.emplace_back(static_cast<std::size_t>(csv.length(i)));
    csv.read(i, walks.back());
  }
  return walks;
}

const Walks kWalks{{3, 1, 2}, {7}, {0, 12}};

struct Form {
  const char* name;
  const char* text;
};

class WalksCsvForm : public testing::TestWithParam<Form> {};

TEST_P(WalksCsvForm, IsRead) {
  const ScratchFolder scratch;
  const WalksCsv csv(scratch.write("walks.csv", GetParam().text));
  EXPECT_EQ(walks_of(csv), kWalks);
  EXPECT_EQ(csv.tokens(), 6);
  EXPECT_EQ(csv.min_id(), 0);
  EXPECT_EQ(csv.max_id(), 12);
  EXPECT_EQ(csv.walk_id(0), 10);
  EXPECT_EQ(csv.walk_id(2), 30);
}

INSTANTIATE_TEST_SUITE_P(
    Of, WalksCsvForm,
    testing::Values(
        Form{"lines_end_in_crlf", "walk_id,length,sequence_labels\r\n10,3,3 1 2\r\n20,1,7\r\n30,2,0 12\r\n"},
        Form{"lines_end_in_lf", "walk_id,length,sequence_labels\n10,3,3 1 2\n20,1,7\n30,2,0 12\n"},
        Form{"no_newline_at_the_end", "walk_id,length,sequence_labels\n10,3,3 1 2\n20,1,7\n30,2,0 12"},
        Form{"all_quoted",
             "\"walk_id\",\"length\",\"sequence_labels\"\r\n\"10\",\"3\",\"3 1 2\"\r\n\"20\",\"1\",\"7\"\r\n"
             "\"30\",\"2\",\"0 12\""},
        Form{"blank_lines", "\nwalk_id,length,sequence_labels\n\n10,3,3 1 2\n20,1,7\r\n\r\n30,2,0 12\n\n"},
        Form{"byte_order_mark", "\xEF\xBB\xBFwalk_id,length,sequence_labels\n10,3,3 1 2\n20,1,7\n30,2,0 12\n"},
        Form{"white_space", "walk_id,length,sequence_labels\n 10, 3 ,  3  1\t2 \n20,1, 7\n30,2,0 12 \n"},
        Form{"ids_over_two_lines", "walk_id,length,sequence_labels\n10,3,\"3 1\n2\"\n20,1,7\n30,2,0 12\n"},
        Form{"leading_zeros", "walk_id,length,sequence_labels\n0010,03,3 01 2\n20,1,007\n30,2,0 12\n"},
        Form{"columns_in_another_order", "sequence_labels,length,walk_id\n3 1 2,3,10\n7,1,20\n0 12,2,30\n"},
        Form{"more_columns",
             "note,sequence_labels,length,walk_id,x\n\"a, \"\"b\"\"\nc\",3 1 2,3,10,\n,7,1,20,4.5\n"
             "é,0 12,2,30,\"\"\n"}),
    [](const auto& form) { return std::string(form.param.name); });

TEST(WalksCsv, ReadsTheReferencesFile) {
  const WalksCsv csv(test::golden("walks/torus/walks_torus_5x6.csv"));
  EXPECT_EQ(csv.size(), 60);
  EXPECT_EQ(csv.tokens(), 60 * 16);
  EXPECT_EQ(csv.min_id(), 0);
  EXPECT_EQ(csv.max_id(), 29);
  for (std::int64_t i = 0; i < csv.size(); ++i) EXPECT_EQ(csv.walk_id(i), i);
}

TEST(WalksCsv, ReadsBackWhatWasWritten) {
  rc::check([](const std::vector<std::vector<std::uint16_t>>& numbers, bool quoted, bool crlf) {
    std::string text = "walk_id,length,sequence_labels\n";
    Walks walks;
    for (const auto& ids : numbers) {
      if (ids.empty()) continue;
      const char* quote = quoted ? "\"" : "";
      text += fmt::format("{},{},{}{}{}{}\n", walks.size(), ids.size(), quote, fmt::join(ids, " "), quote,
                          crlf ? "\r" : "");
      walks.emplace_back(ids.begin(), ids.end());
    }
    RC_PRE(!walks.empty());
    const ScratchFolder scratch;
    RC_ASSERT(walks_of(WalksCsv(scratch.write("walks.csv", text))) == walks);
  });
}

struct Bad {
  const char* name;
  const char* text;
  const char* message;
  const char* place;
};

class BadWalksCsv : public testing::TestWithParam<Bad> {};

TEST_P(BadWalksCsv, SaysWhere) {
  const ScratchFolder scratch;
  const auto file = scratch.write("walks.csv", GetParam().text);
  std::string message;
  const ErrorDetails details = error_of([&] { const WalksCsv csv(file); }, &message);
  EXPECT_EQ(message, GetParam().message);
  EXPECT_EQ(details.file, file.string());
  EXPECT_EQ(details.place, GetParam().place);
  EXPECT_FALSE(details.advice.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Of, BadWalksCsv,
    testing::Values(Bad{"empty", "", "the file is empty", ""},  //
                    Bad{"only_blank_lines", "\n\r\n\n", "the file is empty", ""},
                    Bad{"only_a_header", "walk_id,length,sequence_labels\n", "there is no walk", ""},
                    Bad{"no_header", "0,3,1 2 3\n",
                        "the header is missing: the first line must be walk_id,length,sequence_labels", "line 1"},
                    Bad{"missing_column", "walk_id,sequence_labels\n0,1 2 3\n",
                        "the column length is missing; there are walk_id, sequence_labels", "line 1"},
                    Bad{"too_few_fields", "walk_id,length,sequence_labels\n0,1,5\n1,2\n",
                        "the header has 3 columns, this line has 2", "line 3"},
                    Bad{"commas_between_ids", "walk_id,length,sequence_labels\n0,2,5,6\n",
                        "the header has 3 columns, this line has 4", "line 2"},
                    Bad{"letters", "walk_id,length,sequence_labels\n0,1,5\n\n7,3,1 two 3\n",
                        "\"two\" is no token id (a whole number from 0 to 2147483646)", "line 4, walk 7, position 1"},
                    Bad{"letters_after_digits", "walk_id,length,sequence_labels\n0,2,5 6b\n",
                        "\"6b\" is no token id (a whole number from 0 to 2147483646)", "line 2, walk 0, position 1"},
                    Bad{"negative_id", "walk_id,length,sequence_labels\n0,3,5 6 -1\n",
                        "\"-1\" is no token id (a whole number from 0 to 2147483646)", "line 2, walk 0, position 2"},
                    Bad{"id_too_large", "walk_id,length,sequence_labels\n0,1,2147483647\n",
                        "\"2147483647\" is no token id (a whole number from 0 to 2147483646)",
                        "line 2, walk 0, position 0"},
                    Bad{"id_past_64_bits", "walk_id,length,sequence_labels\n0,1,99999999999999999999\n",
                        "\"99999999999999999999\" is no token id (a whole number from 0 to 2147483646)",
                        "line 2, walk 0, position 0"},
                    Bad{"fraction", "walk_id,length,sequence_labels\n0,1,5.5\n",
                        "\"5.5\" is no token id (a whole number from 0 to 2147483646)", "line 2, walk 0, position 0"},
                    Bad{"id_on_a_later_line", "walk_id,length,sequence_labels\n0,2,\"5\nx\"\n",
                        "\"x\" is no token id (a whole number from 0 to 2147483646)", "line 3, walk 0, position 1"},
                    Bad{"no_token", "walk_id,length,sequence_labels\n0,1,5\n1,0,\n", "walk 1 has no token", "line 3"},
                    Bad{"only_spaces", "walk_id,length,sequence_labels\n1,0,  \n", "walk 1 has no token", "line 2"},
                    Bad{"wrong_length", "walk_id,length,sequence_labels\n0,1,5\n1,3,5 6\n",
                        "walk 1 has 2 ids, its length says 3", "line 3"},
                    Bad{"length_is_no_number", "walk_id,length,sequence_labels\n0,one,5\n",
                        "length is \"one\", not a whole number", "line 2"},
                    Bad{"walk_id_is_no_number", "walk_id,length,sequence_labels\nw0,1,5\n",
                        "walk_id is \"w0\", not a whole number", "line 2"},
                    Bad{"quote_without_end", "walk_id,length,sequence_labels\n0,1,\"5\n1,1,6\n",
                        "a quoted field does not end", "line 2"},
                    Bad{"text_after_a_quote", "walk_id,length,sequence_labels\n0,2,\"5\" 6\n",
                        "there is text after a quoted field", "line 2"}),
    [](const auto& bad) { return std::string(bad.param.name); });

TEST(WalksCsv, MissingFile) {
  const ScratchFolder scratch;
  std::string message;
  const ErrorDetails details = error_of([&] { const WalksCsv csv(scratch / "walks.csv"); }, &message);
  EXPECT_EQ(message, "Input CSV file not found: " + (scratch / "walks.csv").string());
  EXPECT_NE(details.advice.find("01b_sequence_generation.sh"), std::string::npos);
  EXPECT_EQ(error_of([&] { const WalksCsv csv(scratch.path()); }).file, scratch.path().string());
}

TEST(WalksCsv, BytesOfAnyKindGiveAnErrorOrWalks) {
  rc::check([](const std::vector<std::uint8_t>& bytes) {
    const ScratchFolder scratch;
    std::string text = "walk_id,length,sequence_labels\n";
    constexpr std::string_view kAlphabet = "01 ,\"\r\n-x";
    for (const std::uint8_t byte : bytes) text += kAlphabet[byte % kAlphabet.size()];
    try {
      const WalksCsv csv(scratch.write("walks.csv", text));
      for (const auto& walk : walks_of(csv)) RC_ASSERT(!walk.empty());
    } catch (const Error&) {
      RC_SUCCEED("refused");
    }
  });
}

}  // namespace
}  // namespace strider
