#include "extract/context_states.h"

#include <algorithm>

#include "base/clock.h"
#include "extract/pieces_ahead.h"

namespace strider {
namespace {

std::int64_t rows_of(const ExtractPlan& plan) {
  return static_cast<std::int64_t>(plan.token_ids.size());
}

std::int64_t batch_floats(const ExtractPlan& plan) {
  return plan.contexts->most_places * states_width(plan.computed);
}

}  // namespace

ContextStates::ContextStates(const ExtractPlan& plan, const std::filesystem::path& scratch)
    : plan_(plan),
      contexts_(*plan.contexts),
      sums_(static_cast<std::size_t>(rows_of(plan) * states_width(plan.computed))) {
  std::int64_t column = 0;
  for (const TokenArray& array : plan.computed) {
    columns_.push_back(column);
    column += array.width;
  }
  if (!plan.keeps_raw) return;
  const auto floats = static_cast<std::uint64_t>(rows_of(plan) * contexts_.per_token) *
                      static_cast<std::uint64_t>(states_width(plan.computed));
  singles_.emplace(scratch, floats * sizeof(float));
}

std::uint64_t ContextStates::memory_bytes(const ExtractPlan& plan) {
  const std::int64_t sums = rows_of(plan) * states_width(plan.computed);
  return static_cast<std::uint64_t>(sums + 2 * batch_floats(plan)) * sizeof(float) +  // one batch is computed ahead
         ContextWalks::memory_bytes(*plan.contexts);
}

std::size_t ContextStates::index_of(const TokenArray& array) const {
  return static_cast<std::size_t>(std::ranges::find(plan_.computed, array.name, &TokenArray::name) -
                                  plan_.computed.begin());
}

void ContextStates::compute(Engine& engine, const std::function<void(std::int64_t done)>& on_walks) {
  ContextWalks walks(contexts_, plan_.token_ids);
  const std::int64_t width = states_width(plan_.computed);
  std::size_t batch = 0;
  PiecesAhead ahead(batch_floats(plan_), [&](float* out) -> std::int64_t {
    if (batch == contexts_.batches.size()) return 0;
    walks.load(contexts_.batches[batch++]);
    const Clock::time_point start = Clock::now();
    const auto floats = static_cast<std::int64_t>(walks.places().size()) * width;
    engine.walk_states(walks.walks(), walks.places(), plan_.computed, {out, static_cast<std::size_t>(floats)});
    seconds_ += seconds_since(start);
    return floats;
  });
  std::int64_t done = 0;
  for (const ContextBatch& taken : contexts_.batches) {
    add(taken, ahead.take());
    for (std::size_t i = taken.first; i < taken.last; ++i) {
      done += contexts_.is_new_walk(i);
    }
    on_walks(done);
  }
  divide();
}

// In the order of walks and positions, whatever the threads did.
void ContextStates::add(const ContextBatch& batch, std::span<const float> states) {
  const auto width = static_cast<std::size_t>(states_width(plan_.computed));
  for (std::size_t i = batch.first; i < batch.last; ++i) {
    if (i > batch.first && contexts_.is_new_place(i)) states = states.subspan(width);
    add_draw(contexts_.draws[i], states.first(width));
  }
}

void ContextStates::add_draw(const ContextDraw& draw, std::span<const float> vectors) {
  // A token that is taken alone was drawn once, for all.
  const std::int64_t copies = contexts_.is_alone(draw) ? contexts_.per_token : 1;
  for (std::size_t array = 0; array < columns_.size(); ++array) {
    const std::int64_t width = plan_.computed[array].width;
    const std::span<const float> vector =
        vectors.subspan(static_cast<std::size_t>(columns_[array]), static_cast<std::size_t>(width));
    float* const sum = sums_.data() + columns_[array] * rows_of(plan_) + draw.row * width;
    for (std::size_t i = 0; i < vector.size(); ++i) sum[i] += vector[i];
    if (!singles_) continue;
    for (std::int64_t copy = 0; copy < copies; ++copy) {
      singles_->write(single_at(array, draw.row, draw.draw + copy), std::as_bytes(vector));
    }
  }
}

void ContextStates::divide() {
  std::vector<float> divisors(plan_.token_ids.size(), static_cast<float>(contexts_.per_token));
  for (const ContextDraw& draw : contexts_.draws) {
    if (contexts_.is_alone(draw)) divisors[static_cast<std::size_t>(draw.row)] = 1.0F;
  }
  float* sum = sums_.data();
  for (const TokenArray& array : plan_.computed) {
    for (const float divisor : divisors) {
      for (std::int64_t i = 0; i < array.width; ++i) *sum++ /= divisor;
    }
  }
}

std::span<const float> ContextStates::means(const TokenArray& array, std::int64_t first, std::int64_t count) const {
  const float* const rows = sums_.data() + columns_[index_of(array)] * rows_of(plan_);
  return {rows + first * array.width, static_cast<std::size_t>(count * array.width)};
}

// In the scratch file, in bytes.
std::uint64_t ContextStates::single_at(std::size_t array, std::int64_t row, std::int64_t draw) const {
  const std::int64_t n = contexts_.per_token;
  const std::int64_t vector = columns_[array] * rows_of(plan_) * n + (row * n + draw) * plan_.computed[array].width;
  return static_cast<std::uint64_t>(vector) * sizeof(float);
}

void ContextStates::read_singles(const TokenArray& array, std::int64_t first, std::int64_t count,
                                 std::span<float> out) const {
  const auto floats = static_cast<std::size_t>(count * contexts_.per_token * array.width);
  singles_->read(single_at(index_of(array), first, 0), std::as_writable_bytes(out.first(floats)));
}

}  // namespace strider
