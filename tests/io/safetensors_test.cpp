#include "io/safetensors.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>

#include "base/error.h"
#include "golden.h"

namespace strider {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

std::string file_of(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + std::string(data_bytes, '\x01');
}

std::string what_opening_says(const std::string& bytes) {
  const test::ScratchFolder scratch;
  const fs::path file = scratch.write("model.safetensors", bytes);
  try {
    SafetensorsFile opened(file);
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("model.safetensors"), std::string::npos) << error.what();
    return error.what();
  }
  return "accepted";
}

std::string entry(const char* dtype, const char* shape, const char* offsets) {
  return std::string("{\"dtype\":\"") + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

TEST(Safetensors, ReadsEveryTypeThatTheLibraryWrote) {
  const json expected = test::golden_json("../golden_extra/types.json");
  const SafetensorsFile file(test::golden("../golden_extra/types.safetensors"));
  ASSERT_EQ(file.tensors().size(), expected["shapes"].size());
  for (const auto& [name, shape] : expected["shapes"].items()) {
    ASSERT_NE(file.find(name), nullptr) << name;
    EXPECT_EQ(file.find(name)->shape, shape.get<std::vector<std::int64_t>>()) << name;
  }
  for (const auto& [name, bits] : expected["float32_bits"].items()) {
    std::vector<float> values(bits.size());
    file.read(*file.find(name), values);
    for (std::size_t i = 0; i < values.size(); ++i) {
      EXPECT_EQ(std::bit_cast<std::int32_t>(values[i]), bits[i].get<std::int32_t>()) << name << " " << i;
    }
  }
  std::vector<float> doubles(11);
  file.read(*file.find("double"), doubles);  // the same numbers as "float", in a wider type
  for (std::size_t i = 0; i < doubles.size(); ++i) {
    EXPECT_EQ(std::bit_cast<std::int32_t>(doubles[i]), expected["float32_bits"]["float"][i].get<std::int32_t>()) << i;
  }
  std::vector<float> whole_numbers(2);
  EXPECT_THROW(file.read(*file.find("long"), whole_numbers), Error);
  std::vector<float> short_by_one(10);
  EXPECT_THROW(file.read(*file.find("float"), short_by_one), Error);
  EXPECT_EQ(file.find("no such tensor"), nullptr);
  EXPECT_EQ(file.metadata(), (std::vector<std::pair<std::string, std::string>>{{"format", "pt"}, {"note", "ü"}}));
}

// What is read from a file of the library and written again is that file, byte for byte.
TEST(Safetensors, WritesWhatTheLibraryWrites) {
  for (const char* name : {"run/init/model.safetensors", "gradients_gqa_tied/model.safetensors",
                           "../golden_extra/init_small_tensors/model.safetensors"}) {
    const SafetensorsFile file(test::golden(name));
    std::vector<std::vector<float>> values;
    std::vector<TensorToWrite> tensors;
    for (const TensorEntry& tensor : file.tensors()) {
      values.emplace_back(static_cast<std::size_t>(tensor.elements()));
      file.read(tensor, values.back());
      tensors.insert(tensors.begin(), {tensor.name, tensor.shape, values.back().data()});  // in another order
    }
    const test::ScratchFolder scratch;
    write_safetensors(scratch / "out.safetensors", tensors, file.metadata());
    EXPECT_EQ(test::read_text(scratch / "out.safetensors"), test::read_text(test::golden(name))) << name;
  }
}

TEST(Safetensors, WritesScalarsEmptyTensorsAndStrangeNames) {
  const float value = 2.5F;
  const test::ScratchFolder scratch;
  write_safetensors(scratch / "x", {{"a \"quoted\" ü", {}, &value}, {"empty", {3, 0}, nullptr}}, {});
  const SafetensorsFile file(scratch / "x");
  EXPECT_TRUE(file.metadata().empty());
  ASSERT_NE(file.find("empty"), nullptr);
  EXPECT_EQ(file.find("empty")->shape, (std::vector<std::int64_t>{3, 0}));
  float read = 0.0F;
  file.read(*file.find("a \"quoted\" ü"), {&read, 1});
  EXPECT_EQ(read, value);
}

TEST(Safetensors, HeadersThatLieAreRefusedWithTheTensorsName) {
  const std::string good = "{\"w\":" + entry("F32", "[2,2]", "[0,16]") + "}";
  EXPECT_EQ(what_opening_says(file_of(good, 16)), "accepted");
  const std::pair<std::string, std::size_t> liars[] = {
      {"{\"w\":" + entry("F32", "[2,3]", "[0,16]") + "}", 16},
      {"{\"w\":" + entry("F32", "[2,2]", "[0,20]") + "}", 16},
      {"{\"w\":" + entry("F32", "[2,2]", "[16,0]") + "}", 16},
      {"{\"w\":" + entry("F32", "[2,2]", "[-16,0]") + "}", 16},
      {"{\"w\":" + entry("F32", "[2,2]", "[0,16,16]") + "}", 16},
      {"{\"w\":" + entry("F32", "[2,-2]", "[0,16]") + "}", 16},
      {"{\"w\":" + entry("F32", "[2.0,2]", "[0,16]") + "}", 16},
      {"{\"w\":" + entry("F32", "4", "[0,16]") + "}", 16},
      {"{\"w\":" + entry("F31", "[2,2]", "[0,16]") + "}", 16},
      {"{\"w\":" + entry("F32", "[4294967296,4294967296,4]", "[0,16]") + "}", 16},
      {"{\"w\":" + entry("F32", "[4611686018427387904,4]", "[0,0]") + "}", 0},
      {"{\"w\":" + entry("F32", "[2,2]", "[4,20]") + "}", 20},
      {"{\"v\":" + entry("F32", "[2]", "[0,8]") + ",\"w\":" + entry("F32", "[2]", "[4,12]") + "}", 12},
      {"{\"v\":" + entry("F32", "[2]", "[0,8]") + ",\"w\":" + entry("F32", "[2]", "[12,20]") + "}", 20},
      {"{\"w\":[1,2]}", 16},
      {"{\"w\":{\"dtype\":\"F32\",\"shape\":[4]}}", 16},
  };
  for (const auto& [header, bytes] : liars) {
    const std::string said = what_opening_says(file_of(header, bytes));
    EXPECT_NE(said.find("tensor \"w\""), std::string::npos) << header << "\n" << said;
  }
}

TEST(Safetensors, FilesThatAreNoneAreRefused) {
  const std::string good = file_of("{\"w\":" + entry("F32", "[2,2]", "[0,16]") + "}", 16);
  for (std::size_t size = 0; size < good.size(); ++size) {
    ASSERT_NE(what_opening_says(good.substr(0, size)), "accepted") << "cut to " << size;
  }
  EXPECT_NE(what_opening_says(good + "x"), "accepted");
  EXPECT_NE(what_opening_says(std::string(8, '\xff') + "{}"), "accepted") << "a header of 2^64 bytes";
  EXPECT_NE(what_opening_says(file_of("[1]", 0)), "accepted");
  EXPECT_NE(what_opening_says(file_of("{\"w\":", 0)).find("line 1, column 6"), std::string::npos);
  EXPECT_NE(what_opening_says(file_of("{\"__metadata__\":{\"a\":1}}", 0)), "accepted");
  EXPECT_NE(what_opening_says(file_of(std::string(100'000, '['), 0)).find("levels deep"), std::string::npos);
  EXPECT_EQ(what_opening_says(file_of("{}", 0)), "accepted");
  EXPECT_THROW(SafetensorsFile("/nonexistent/model.safetensors"), Error);
  EXPECT_THROW(SafetensorsFile(test::golden("run")), Error) << "a folder";
}

}  // namespace
}  // namespace strider
