// Tokens in context: the places that Python draws, the vectors that transformers gives there, and the files.
#include "extract/contexts.h"

#include <map>

#include "base/error.h"
#include "scene.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using test::kAllTypes;
using test::ScratchFolder;

struct Golden {
  const char* run;
  const char* contexts;
};

std::ostream& operator<<(std::ostream& stream, const Golden& golden) {
  return stream << golden.contexts;
}

class GoldenContexts : public testing::TestWithParam<Golden> {
 protected:
  GoldenContexts()
      : run(test::golden(GetParam().run)),
        folder(test::golden("contexts") / GetParam().contexts),
        expected(test::golden_json("contexts/" + std::string(GetParam().contexts) + "/contexts.json")) {}

  ExtractSettings settings(const fs::path& output) const {
    ExtractSettings wanted{run / "final_model", output, kAllTypes, false, 2};
    wanted.upsample = expected["n"];
    wanted.upsample_seed = expected["seed"];
    wanted.dataset_dir = run / "dataset";
    return wanted;
  }

  const fs::path run, folder;
  const nlohmann::json expected;
};

INSTANTIATE_TEST_SUITE_P(Extract, GoldenContexts,
                         testing::Values(Golden{"run", "n4_seed42"}, Golden{"run_accumulate", "n180_seed7"}));

TEST_P(GoldenContexts, PlacesAreThoseThatPythonDraws) {
  std::vector<std::int32_t> ids(48);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(i);
  const auto n = expected["n"].get<std::int64_t>();
  const Contexts contexts = draw_contexts(run / "dataset", n, expected["seed"].get<std::uint64_t>(), ids, 48);
  std::vector<std::vector<std::pair<std::int64_t, std::int64_t>>> drawn(
      ids.size(), std::vector<std::pair<std::int64_t, std::int64_t>>(static_cast<std::size_t>(n), {-1, -1}));
  ASSERT_EQ(contexts.draws.size(), ids.size() * static_cast<std::size_t>(n));
  for (const ContextDraw& draw : contexts.draws) {
    drawn[static_cast<std::size_t>(draw.row)][static_cast<std::size_t>(draw.draw)] = {draw.walk, draw.position};
  }
  std::int64_t repeating = 0;
  for (const std::int32_t id : ids) {
    const std::string token = std::to_string(id);
    EXPECT_EQ(nlohmann::json(drawn[static_cast<std::size_t>(id)]), expected["places"][token]) << token;
    repeating += expected["occurrences"][token].get<std::int64_t>() < n;
  }
  EXPECT_EQ(contexts.repeating, repeating);
  EXPECT_EQ(contexts.alone, 0);
}

TEST_P(GoldenContexts, VectorsAreThoseOfTransformers) {
  const ScratchFolder scratch;
  test::run_extract(settings(scratch.path()));
  test::expect_same_arrays(scratch / "token_representations.npz", folder / "token_representations.npz", 1e-5);
  const fs::path one = folder / "raw_one.npz";
  if (!fs::exists(one)) return;
  for (const NpzEntry& entry : read_npz_entries(one)) {
    const NpzFloats singles = read_npz_floats(scratch / "token_representations_upsampled_raw.npz", entry.name);
    EXPECT_EQ(singles.shape, entry.shape) << entry.name;
    test::expect_close(singles.values, read_npz_floats(one, entry.name).values, 1e-5, entry.name);
  }
}

class InContext : public testing::Test {
 protected:
  InContext() {
    fs::copy(test::golden("run/final_model"), scratch / "final_model");
    write_tokenizer(scratch / "final_model", 48);
  }

  ExtractSettings settings(std::vector<std::string> types = {"after_block"}, const std::string& output = "out") const {
    ExtractSettings wanted{scratch / "final_model", scratch / output, std::move(types), false, 2};
    wanted.upsample = 3;
    wanted.dataset_dir = test::golden("run/dataset");
    return wanted;
  }

  NpzFloats means(const std::string& output, const std::string& array) const {
    return read_npz_floats(scratch / output / "token_representations.npz", array);
  }
  NpzFloats singles(const std::string& output, const std::string& array) const {
    return read_npz_floats(scratch / output / kRaw, array);
  }
  std::string bytes(const std::string& output, const std::string& file) const {
    return test::read_text(scratch / output / file);
  }

  std::string refusal(const ExtractSettings& wanted) const {
    try {
      test::run_extract(wanted);
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing was thrown";
  }

  static constexpr const char* kRaw = "token_representations_upsampled_raw.npz";
  static constexpr const char* kFiles[] = {"extraction_summary.json", "representation_info.json", "token_metadata.json",
                                           "token_representations.npz", kRaw};
  const ScratchFolder scratch;
};

TEST_F(InContext, MeansAreThoseOfTheSingleVectors) {
  test::run_extract(settings(kAllTypes));
  const std::vector<NpzEntry> entries = read_npz_entries(scratch / "out/token_representations.npz");
  const std::vector<NpzEntry> raw_entries = read_npz_entries(scratch / "out" / kRaw);
  ASSERT_EQ(entries.size(), raw_entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::string& name = entries[i].name;
    EXPECT_EQ(raw_entries[i].name, name);
    const NpzFloats raw = singles("out", name);
    const auto width = static_cast<std::size_t>(entries[i].shape.back());
    EXPECT_EQ(raw.shape, (std::vector<std::int64_t>{48, 3, entries[i].shape.back()}));
    std::vector<float> expected;
    for (std::size_t at = 0; at < raw.values.size(); at += 3 * width) {
      for (std::size_t j = at; j < at + width; ++j) {
        expected.push_back((raw.values[j] + raw.values[j + width] + raw.values[j + 2 * width]) / 3.0F);
      }
    }
    test::expect_close(means("out", name).values, expected, 1e-6, name);
  }
  const NpzFloats embeds = singles("out", "input_embeds");  // the same wherever a token is
  const NpzFloats last = singles("out", "final_hidden");
  EXPECT_TRUE(std::equal(embeds.values.begin(), embeds.values.begin() + 32, embeds.values.begin() + 32));
  EXPECT_FALSE(std::equal(last.values.begin(), last.values.begin() + 32, last.values.begin() + 32));
}

TEST_F(InContext, SameBytesForAnyNumberOfThreadsAndHoweverTypesCame) {
  const std::vector<std::string> all = {"after_attention", "ffn_gate", "ffn_up", "after_block", "residual_before"};
  test::run_extract(settings(all, "two"));
  ExtractSettings five = settings(all, "five");
  five.threads = 5;
  test::run_extract(five);
  test::run_extract(settings({"ffn_up"}, "added"));
  test::run_extract(settings({"after_block", "after_attention"}, "added"));
  test::run_extract(settings(all, "added"));
  for (const char* file : kFiles) {
    EXPECT_EQ(bytes("two", file), bytes("five", file)) << file;
    EXPECT_EQ(bytes("two", file), bytes("added", file)) << file;
  }
}

TEST_F(InContext, SingleVectorsCanBeLeftOutAndComeLater) {
  ExtractSettings means_only = settings();
  means_only.upsample_raw = false;
  test::run_extract(means_only);
  EXPECT_FALSE(fs::exists(scratch / "out" / kRaw));
  const std::string arrays = bytes("out", "token_representations.npz");
  EXPECT_EQ(plan_extraction(means_only).earlier, EarlierOutput::kComplete);

  EXPECT_EQ(plan_extraction(settings()).earlier, EarlierOutput::kLacksTypes);
  test::run_extract(settings());
  test::run_extract(settings({"after_block"}, "at_once"));
  for (const char* file : kFiles) EXPECT_EQ(bytes("out", file), bytes("at_once", file)) << file;
  EXPECT_EQ(bytes("out", "token_representations.npz"), arrays);

  // Once they exist they get what the means get.
  EXPECT_EQ(plan_extraction(means_only).earlier, EarlierOutput::kComplete);
  means_only.representations = {"ffn_gate"};
  test::run_extract(means_only);
  EXPECT_EQ(singles("out", "layer_1_ffn_gate").shape, (std::vector<std::int64_t>{48, 3, 64}));

  means_only.overwrite = true;
  test::run_extract(means_only);
  EXPECT_FALSE(fs::exists(scratch / "out" / kRaw));
}

TEST_F(InContext, OfOtherPlacesAreRefused) {
  test::run_extract(settings());
  ExtractSettings other = settings();
  other.upsample = 4;
  EXPECT_NE(refusal(other).find("UPSAMPLE was 3, now 4"), std::string::npos) << refusal(other);
  other.upsample = 0;
  EXPECT_NE(refusal(other).find("UPSAMPLE was 3, now 0"), std::string::npos) << refusal(other);
  other = settings();
  other.upsample_seed = 7;
  EXPECT_NE(refusal(other).find("UPSAMPLE_SEED was 42, now 7"), std::string::npos) << refusal(other);
  other = settings();
  other.dataset_dir = test::golden("run_accumulate/dataset");
  EXPECT_NE(refusal(other).find("training_walks was "), std::string::npos) << refusal(other);

  ExtractSettings alone = settings({"after_block"}, "alone");
  alone.upsample = 0;
  test::run_extract(alone);
  EXPECT_NE(refusal(settings({"after_block"}, "alone")).find("UPSAMPLE was 0, now 3"), std::string::npos);
  alone.overwrite = true;
  alone.output_dir = scratch / "out";
  test::run_extract(alone);
  EXPECT_FALSE(fs::exists(scratch / "out" / kRaw));
  EXPECT_EQ(bytes("out", "token_representations.npz"), bytes("alone", "token_representations.npz"));
}

TEST_F(InContext, DamagedSingleVectorsAreRefused) {
  test::run_extract(settings());
  std::string raw = bytes("out", kRaw);
  raw[raw.size() / 2] = static_cast<char>(raw[raw.size() / 2] ^ 1);
  scratch.write(std::string("out/") + kRaw, raw);
  EXPECT_NE(refusal(settings()).find(kRaw), std::string::npos) << refusal(settings());
  fs::remove(scratch / "out" / kRaw);
  EXPECT_NE(refusal(settings()).find(kRaw), std::string::npos) << refusal(settings());
}

TEST_F(InContext, ATokenThatNoWalkHasIsTakenAlone) {
  LlamaConfig config = read_config(scratch / "final_model/config.json");
  config.vocab_size = 50;  // two more than the walks have
  test::write_random_model(scratch / "larger", config);
  ExtractSettings wanted = settings(kAllTypes);
  wanted.model_dir = scratch / "larger";
  const ExtractPlan plan = plan_extraction(wanted);
  EXPECT_EQ(plan.contexts->alone, 2);
  test::run_extract(wanted);
  ExtractSettings alone = wanted;
  alone.upsample = 0;
  alone.output_dir = scratch / "alone";
  test::run_extract(alone);
  for (const NpzEntry& entry : read_npz_entries(scratch / "alone/token_representations.npz")) {
    const auto two = static_cast<std::ptrdiff_t>(2 * entry.shape.back());
    const std::vector<float> in_context = means("out", entry.name).values;
    const std::vector<float> by_itself = means("alone", entry.name).values;
    test::expect_close({in_context.end() - two, in_context.end()}, {by_itself.end() - two, by_itself.end()}, 1e-5,
                       entry.name);
    const std::vector<float> raw = singles("out", entry.name).values;
    for (std::ptrdiff_t copy = 1; copy <= 3; ++copy) {
      EXPECT_TRUE(std::equal(in_context.end() - two / 2, in_context.end(), raw.end() - copy * two / 2)) << entry.name;
    }
  }
}

TEST_F(InContext, EveryWalkIsCutBehindItsLastPlaceAndGoesThroughOnce) {
  const ExtractPlan plan = plan_extraction(settings());
  const Contexts& contexts = *plan.contexts;
  std::map<std::int64_t, std::int64_t> lengths;  // of the walks that have a place
  for (const ContextDraw& draw : contexts.draws) {
    lengths[draw.walk] = std::max(lengths[draw.walk], draw.position + 1);
  }
  ContextWalks batch(contexts, plan.token_ids);
  auto next = lengths.begin();
  for (const ContextBatch& part : contexts.batches) {
    batch.load(part);
    for (const WalkView walk : batch.walks()) {
      ASSERT_NE(next, lengths.end());
      EXPECT_EQ(static_cast<std::int64_t>(walk.size()), next->second);
      std::vector<std::int32_t> ids(walk.size());
      contexts.split.read(next->first, ids);
      EXPECT_TRUE(std::ranges::equal(walk, ids));
      ++next;
    }
  }
  EXPECT_EQ(next, lengths.end());
  EXPECT_EQ(contexts.walks, static_cast<std::int64_t>(lengths.size()));
}

// Alone and in context: near float32, the same bits for any types and threads, and never taken for float32.
TEST_F(InContext, InBfloat16) {
  for (const std::int64_t upsample : {0, 3}) {
    const std::string name = std::to_string(upsample);
    ExtractSettings wanted = settings(kAllTypes, "float32_" + name);
    wanted.upsample = upsample;
    test::run_extract(wanted);
    ExtractSettings rounded = wanted;
    rounded.precision = Precision::kBfloat16;
    EXPECT_NE(refusal(rounded).find("PRECISION was float32, now bfloat16"), std::string::npos) << refusal(rounded);
    rounded.output_dir = scratch / ("bfloat16_" + name);
    test::run_extract(rounded);
    EXPECT_EQ(plan_extraction(rounded).earlier, EarlierOutput::kComplete);
    for (const NpzEntry& entry : read_npz_entries(rounded.output_dir / "token_representations.npz")) {
      const std::vector<float> exact = means("float32_" + name, entry.name).values;
      const std::vector<float> values = means("bfloat16_" + name, entry.name).values;
      test::expect_close(values, exact, 0.03, entry.name);
      const bool is_embedding = entry.name == "input_embeds" || entry.name == "layer_0_residual_before";
      EXPECT_EQ(values == exact, is_embedding) << entry.name;
    }
    ExtractSettings other = rounded;
    other.threads = 3;
    other.output_dir = scratch / ("added_" + name);
    for (const char* type : {"ffn_up", "after_attention", "residual_before", "ffn_gate", "after_block"}) {
      other.representations = {type};
      test::run_extract(other);
    }
    EXPECT_EQ(bytes("added_" + name, "token_representations.npz"),
              bytes("bfloat16_" + name, "token_representations.npz"));
  }
}

TEST_F(InContext, ADatasetWithOtherTokensIsRefused) {
  LlamaConfig config = read_config(scratch / "final_model/config.json");
  config.vocab_size = 40;
  test::write_random_model(scratch / "smaller", config);
  ExtractSettings wanted = settings();
  wanted.model_dir = scratch / "smaller";
  EXPECT_NE(refusal(wanted).find("is not in the model's vocabulary of 40"), std::string::npos) << refusal(wanted);
  wanted.dataset_dir.clear();
  EXPECT_NE(refusal(wanted).find("DATASET_DIR"), std::string::npos) << refusal(wanted);
  EXPECT_FALSE(fs::exists(scratch / "out"));
}

}  // namespace
}  // namespace strider
