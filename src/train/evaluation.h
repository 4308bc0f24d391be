#pragma once
// The loss on the validation split, as transformers' Trainer averages it.
#include <optional>
#include <vector>

#include "train/walk_batch.h"

namespace strider {

struct Evaluation {
  double loss = 0.0;                 // in the run's denominator: labels, each batch's own mean, averaged over walks, as
                                     // transformers does; predictions, the next one, whatever the batches
  double loss_per_prediction = 0.0;  // over all predicted tokens at once
  std::int64_t walks = 0;
  std::int64_t batches = 0;
  double seconds = 0.0;
};

class Evaluator {
 public:
  /// `engine`: what run() will be given. `first_held`: WalkBatch's.
  Evaluator(const WalkSplit& split, const TrainingSettings& settings, const Engine& engine,
            std::optional<std::int64_t> first_held);
  /// Nothing where it was given up.
  std::optional<Evaluation> run(Engine& engine, const GiveUp& give_up);
  /// Most walks that it gives the engine at once.
  static std::int64_t walks_at_once(const WalkSplit& split, const TrainingSettings& settings);

 private:
  void load(std::int64_t piece, WalkBatch& batch) const;

  WalkSplit split_;
  std::int64_t batch_size_;
  LossDenominator denominator_;
  std::vector<WalkBatch> rooms_;  // two where the engine computes one while the next is loaded
  std::vector<double> losses_;
};

}  // namespace strider
