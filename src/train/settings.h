#pragma once
// Everything that a user can set about a training run, with its defaults. train/settings_table.h has a row for each,
// which says what it is called, what it may be and what it means.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>

#include "base/machine.h"
#include "engine/device.h"
#include "engine/optimizer.h"
#include "engine/precision.h"
#include "train/group_values.h"

namespace strider {

enum class LrScheduler { kLinear, kCosine, kConstant, kWarmupStableDecay };
/// What a step's sum of cross-entropies is divided by: the predicted tokens (a true mean), or all tokens that are not
/// padding, the first of each walk included, as transformers 4.57.1 does.
enum class LossDenominator { kPredictions, kLabels };
/// How o_proj and down_proj start: drawn as torch draws them, or zero.
enum class OutputProjections { kTorch, kZero };

/// Values for many settings at once: see train/recipe.h. kReference: the defaults.
enum class Recipe { kReference, kFast, kLowestLoss };

struct TrainingSettings {
  std::filesystem::path dataset_dir;
  std::filesystem::path config;
  std::filesystem::path output_dir = "output";
  Recipe recipe = Recipe::kReference;
  std::set<std::string> given = {};  // options that the user has set, which a recipe leaves alone
  double epochs = 1;                 // passes over the training split; a fraction ends within one
  std::int64_t batch_size = 50;      // walks per micro-batch
  std::int64_t gradient_accumulation_steps = 1;
  double learning_rate = 5e-4;            // at the schedule's peak, of all tensors
  GroupValues group_learning_rates = {};  // of some kinds instead
  std::int64_t max_length = 128;          // tokens; longer walks are cut
  std::int64_t save_steps = 200;
  std::int64_t eval_steps = 200;
  // Which of the two the user set: where it was one alone, the other follows (with_resolved_steps).
  bool is_save_steps_set = false;
  bool is_eval_steps_set = false;
  bool final_evaluation = false;  // evaluate the last step too, where eval_steps does not divide it
  std::int64_t logging_steps = 10;
  std::int64_t histogram_steps = 0;       // between RunListener::on_weights; 0: never
  std::int64_t representation_steps = 0;  // between RunListener::on_model for representations; 0: never
  std::int64_t geometry_steps = 0;        // the same for measures of geometry
  std::uint64_t seed = 42;
  std::optional<std::filesystem::path> init_from;  // a model folder to start from
  std::int64_t max_steps = 0;                      // 0: as many as the epochs have
  std::int64_t warmup_steps = 50;
  GroupValues group_warmup_steps = {};  // of some kinds instead, as with the other group_ fields
  std::string optimizer = "adamw";      // one of update_rule_names()
  double momentum = 0.9;                // of sgd and muon
  Orthogonalization orthogonalize = Orthogonalization::kNewtonSchulz;  // of muon
  std::int64_t orthogonalize_steps = 5;                                // of muon
  double adam_beta1 = 0.9;                                             // of adamw
  double adam_beta2 = 0.999;                                           // of adamw
  double adam_epsilon = 1e-8;                                          // of adamw
  GroupValues group_adam_beta1 = {};
  GroupValues group_adam_beta2 = {};
  GroupValues group_adam_epsilon = {};
  double weight_decay = 0.01;
  GroupValues group_weight_decays = {};
  OutputProjections output_projections = OutputProjections::kTorch;
  double embedding_scale = 1.0;  // what the embeddings that torch draws are multiplied by
  double max_grad_norm = 1.0;    // 0: no clipping
  LrScheduler lr_scheduler = LrScheduler::kLinear;
  double decay_share = 0.2;  // of warmup_stable_decay: the share of all steps in which the rate falls
  // The embeddings and the first so many layers are left alone after the first first_steps steps, in which these layers
  // are the whole model (schedule.h).
  std::int64_t first_layers = 0;
  std::int64_t first_steps = 0;
  double first_learning_rate = 5e-4;  // at the peak of their own schedule
  GroupValues first_group_learning_rates = {};
  GroupValues first_group_weight_decays = {};
  // What the embeddings, and what these layers add to them, is multiplied by when they are left alone.
  double first_embedding_scale = 1.0;
  double first_output_scale = 1.0;
  std::int64_t head_steps = 0;       // of the steps, the last so many train lm_head alone; at most half of all
  double head_learning_rate = 0.01;  // at the peak of their own schedule
  double average_share = 0.0;       // final_model has the mean of the weights over this last share of the steps; 0: not
  std::int64_t average_every = 10;  // steps between the weights that are in that mean
  double max_minutes = 0.0;         // of training, over all sittings; 0: no limit
  double target_loss = 0.0;         // ends the run at an evaluation loss per predicted token this low; 0: none
  double target_excess = 0.0;       // the same, over the best loss that any model can reach; 0: none
  std::int64_t patience = 0;        // ends the run after this many evaluations without a lower loss; 0: never
  std::int64_t save_total_limit = 2;  // 0: keep all
  LossDenominator loss_denominator = LossDenominator::kPredictions;
  int threads = available_processors();
  Device device = Device::kAuto;                             // in a RunPlan kCpu or kCuda
  std::optional<Precision> precision = Precision::kFloat32;  // none: the faster one on this machine
  bool resume = true;                                        // go on with an interrupted run of the same settings
  bool overwrite = false;     // replace a finished run, or one of other settings; without resume any
  bool continue_run = false;  // go on from the newest checkpoint of a run whose schedule was another
};

const char* name_of(LrScheduler scheduler);
const char* name_of(LossDenominator denominator);
const char* name_of(Orthogonalization method);
const char* name_of(OutputProjections start);
const char* name_of(Recipe recipe);

/// Throws Error that names the setting (as the option and as the script's variable), its value and what is allowed.
void check_settings(const TrainingSettings& settings);

}  // namespace strider
