#include "train/evaluation.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/clock.h"
#include "base/error.h"

namespace strider {

// Several batches at once, so that all threads have work until the end.
std::int64_t Evaluator::walks_at_once(const WalkSplit& split, const TrainingSettings& settings) {
  constexpr std::int64_t kWalks = 1000;
  return std::min(split.size(), (kWalks + settings.batch_size - 1) / settings.batch_size * settings.batch_size);
}

Evaluator::Evaluator(const WalkSplit& split, const TrainingSettings& settings, const Engine& engine,
                     std::optional<std::int64_t> first_held)
    : split_(split),
      batch_size_(settings.batch_size),
      denominator_(settings.loss_denominator),
      losses_(static_cast<std::size_t>(walks_at_once(split, settings))) {
  for (int room = 0; room < (engine.runs_beside_host() ? 2 : 1); ++room) {
    rooms_.emplace_back(walks_at_once(split, settings), settings.max_length, first_held);
  }
}

void Evaluator::load(std::int64_t piece, WalkBatch& batch) const {
  const auto at_once = static_cast<std::int64_t>(losses_.size());
  const std::int64_t first = piece * at_once;
  batch.clear();
  for (std::int64_t row = first; row < std::min(split_.size(), first + at_once); ++row) batch.add(split_, row);
  split_.release_pages();
}

std::optional<Evaluation> Evaluator::run(Engine& engine, const GiveUp& give_up) {
  const auto began = Clock::now();
  Evaluation result;
  result.walks = split_.size();
  double sum = 0.0;
  double all_losses = 0.0;
  double predictions = 0.0;
  const auto at_once = static_cast<std::int64_t>(losses_.size());
  const std::int64_t pieces = (split_.size() + at_once - 1) / at_once;
  const auto rooms = static_cast<std::int64_t>(rooms_.size());
  const auto room = [&](std::int64_t piece) -> WalkBatch& { return rooms_[static_cast<std::size_t>(piece % rooms)]; };
  std::int64_t loaded = 0;
  for (std::int64_t piece = 0; piece < pieces; ++piece) {
    for (; loaded < std::min(pieces, piece + rooms); ++loaded) {
      load(loaded, room(loaded));
      engine.queue_evaluation(room(loaded).walks());
    }
    if (!engine.take_evaluation(room(piece).walks(), losses_, give_up)) return std::nullopt;
    const std::span<const std::int64_t> lengths = room(piece).lengths();
    for (std::size_t begin = 0; begin < lengths.size(); begin += static_cast<std::size_t>(batch_size_)) {
      const std::span<const std::int64_t> batch =
          lengths.subspan(begin, std::min(static_cast<std::size_t>(batch_size_), lengths.size() - begin));
      double loss = 0.0;
      for (std::size_t i = 0; i < batch.size(); ++i) loss += losses_[begin + i];
      all_losses += loss;
      predictions += denominator_of(batch, LossDenominator::kPredictions);
      const double denominator = denominator_of(batch, denominator_);
      if (denominator > 0.0) sum += loss / denominator * static_cast<double>(batch.size());
      result.batches += 1;
    }
  }
  if (!std::isfinite(sum)) {
    throw Error("the evaluation loss is not a finite number",
                {.file = {},
                 .place = {},
                 .advice = "The checkpoints before it are kept. Lower LEARNING_RATE or raise WARMUP_STEPS, and start "
                           "anew."});
  }
  result.loss_per_prediction = predictions > 0.0 ? all_losses / predictions : 0.0;
  result.loss =
      denominator_ == LossDenominator::kLabels ? sum / static_cast<double>(split_.size()) : result.loss_per_prediction;
  result.seconds = seconds_since(began);
  return result;
}

}  // namespace strider
