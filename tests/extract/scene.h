#pragma once
// What the tests of extraction share: models to take representations from, and arrays to compare.
#include <gtest/gtest.h>

#include <cmath>

#include "extract/extract.h"
#include "golden.h"
#include "io/npz.h"
#include "model/folder.h"

namespace strider::test {

inline const std::vector<std::string> kAllTypes = {"residual_before", "after_attention", "after_block", "ffn_gate",
                                                   "ffn_up"};

inline ExtractSeconds run_extract(const ExtractSettings& settings) {
  return extract(plan_extraction(settings), {});
}

/// A model folder with seeded weights that are large enough for every term to count.
inline LlamaConfig write_random_model(const std::filesystem::path& folder, LlamaConfig config) {
  const ParameterLayout layout(config);
  std::vector<float> values(static_cast<std::size_t>(layout.total()));
  config.initializer_range = 0.3;
  initialize_parameters(config, layout, 7, values);
  for (const ParameterInfo& tensor : layout.tensors()) {
    if (tensor.decays) continue;  // norms are ones; here they differ
    for (std::int64_t i = 0; i < tensor.size; ++i) {
      values[static_cast<std::size_t>(tensor.offset + i)] = 0.6F + 0.1F * static_cast<float>((i * 5) % 7);
    }
  }
  std::filesystem::create_directories(folder);
  write_model(folder, config, layout, values);
  write_tokenizer(folder, config.vocab_size);
  return config;
}

/// Within `bound` of the largest magnitude of `expected`.
inline void expect_close(const std::vector<float>& values, const std::vector<float>& expected, double bound,
                         const std::string& name) {
  ASSERT_EQ(values.size(), expected.size()) << name;
  double largest = 0.0;
  double apart = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    largest = std::max(largest, std::abs(double{expected[i]}));
    const double distance = std::abs(double{values[i]} - double{expected[i]});
    apart = distance <= apart ? apart : distance;  // a NaN stays
  }
  EXPECT_GT(largest, 0.0) << name;
  EXPECT_LE(apart, bound * largest) << name;
}

/// The same arrays in both npz files, with the shapes of those that are expected and their values within `bound`.
inline void expect_same_arrays(const std::filesystem::path& found, const std::filesystem::path& expected,
                               double bound) {
  const std::vector<NpzEntry> entries = read_npz_entries(expected);
  EXPECT_EQ(entries.size(), read_npz_entries(found).size());
  for (const NpzEntry& entry : entries) {
    const NpzFloats ours = read_npz_floats(found, entry.name);
    EXPECT_EQ(ours.shape, entry.shape) << entry.name;
    expect_close(ours.values, read_npz_floats(expected, entry.name).values, bound, entry.name);
  }
}

}  // namespace strider::test
