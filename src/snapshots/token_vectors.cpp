#include "snapshots/token_vectors.h"

#include <algorithm>

#include "extract/work.h"
#include "io/npz.h"

namespace strider {

TokenVectors::TokenVectors(const LlamaConfig& config, int threads)
    : engine_(make_engine(
          config,
          {.threads = threads, .max_length = 1, .walks_per_step = 1, .precision = Precision::kFloat32, .groups = {}})) {
}

void TokenVectors::write(const std::filesystem::path& file, std::span<const std::int32_t> ids,
                         std::span<const TokenArray> arrays) {
  const std::unique_ptr<TokenStates> states = engine_->token_states(ids, arrays);
  std::vector<float> piece;
  std::vector<NpzArray> entries;
  for (const TokenArray& array : arrays) {
    auto rows = [&states, &piece, array](std::int64_t first, std::int64_t count) -> std::span<const float> {
      piece.resize(static_cast<std::size_t>(count * array.width));
      states->compute(array, first, count, piece.data());
      return piece;
    };
    entries.push_back({array.name, {states->tokens(), array.width}, std::move(rows)});
  }
  write_npz(file, entries, kRowsAtOnce);
}

std::vector<std::vector<float>> TokenVectors::compute(std::span<const std::int32_t> ids,
                                                      std::span<const TokenArray> arrays) {
  const std::unique_ptr<TokenStates> states = engine_->token_states(ids, arrays);
  std::vector<std::vector<float>> vectors;
  for (const TokenArray& array : arrays) {
    std::vector<float>& values = vectors.emplace_back(ids.size() * static_cast<std::size_t>(array.width));
    for (std::int64_t first = 0; first < states->tokens(); first += kRowsAtOnce) {
      const std::int64_t count = std::min(kRowsAtOnce, states->tokens() - first);
      states->compute(array, first, count, values.data() + first * array.width);
    }
  }
  return vectors;
}

}  // namespace strider
