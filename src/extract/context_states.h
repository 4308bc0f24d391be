#pragma once
// Takes the walks of Contexts through the model, adds up the mean of every token and keeps the single vectors on disk.
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "extract/contexts.h"
#include "extract/extract.h"
#include "io/scratch_file.h"

namespace strider {

class ContextStates {
 public:
  /// For plan.computed. The single vectors are kept, on the disk that has `scratch` (a name that is not taken), where
  /// the plan asks for them. Everything outlives this object.
  ContextStates(const ExtractPlan& plan, const std::filesystem::path& scratch);

  /// Every walk once, by batches. `on_walks(done)` is called after each with the number of walks that are done. The
  /// same bits for any number of threads.
  void compute(Engine& engine, const std::function<void(std::int64_t done)>& on_walks);

  /// After compute(): rows [first, first + count) of an array, [count, width].
  std::span<const float> means(const TokenArray& array, std::int64_t first, std::int64_t count) const;
  /// The single vectors of the same rows: out [count, N, width].
  void read_singles(const TokenArray& array, std::int64_t first, std::int64_t count, std::span<float> out) const;

  double seconds() const { return seconds_; }  // of arithmetic

  /// Bytes that an object takes, without those of plan.contexts itself.
  static std::uint64_t memory_bytes(const ExtractPlan& plan);

 private:
  std::size_t index_of(const TokenArray& array) const;
  std::uint64_t single_at(std::size_t array, std::int64_t row, std::int64_t draw) const;
  void add(const ContextBatch& batch, std::span<const float> states);
  void add_draw(const ContextDraw& draw, std::span<const float> vectors);
  void divide();

  const ExtractPlan& plan_;
  const Contexts& contexts_;
  std::vector<std::int64_t> columns_;   // of each array, in a place's vectors and, times the rows, in sums_
  std::vector<float> sums_;             // array after array: [rows, width]
  std::optional<ScratchFile> singles_;  // array after array: [rows, N, width]
  double seconds_ = 0.0;
};

}  // namespace strider
