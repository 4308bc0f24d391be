#include "train/settings_table.h"

#include "base/machine.h"
#include "base/thread_team.h"
#include "engine/engine.h"

namespace strider {
namespace {

using enum OnResume;

// Each T by its name.
template <typename T>
std::vector<std::pair<std::string, T>> named(std::initializer_list<T> values) {
  std::vector<std::pair<std::string, T>> all;
  for (const T value : values) all.emplace_back(name_of(value), value);
  return all;
}

std::vector<std::pair<std::string, std::string>> optimizers() {
  std::vector<std::pair<std::string, std::string>> all;
  for (const std::string_view name : update_rule_names()) all.emplace_back(name, name);
  return all;
}

TrainingSettingsTable make_table() {
  using namespace settings;
  using Row = TrainingSetting;
  using S = TrainingSettings;
  constexpr double kMost = 1'000'000'000;
  const auto precisions =
      std::vector<std::pair<std::string, std::optional<Precision>>>{{"float32", Precision::kFloat32},
                                                                    {"bfloat16", Precision::kBfloat16},
                                                                    {"tf32", Precision::kTf32},
                                                                    {"auto", std::nullopt}};
  // option, variable, field, range, on resume, help
  return {
      Row("dataset_dir", "DATASET_DIR", folder(&S::dataset_dir), any_value(), kMayDiffer,
          "Dataset folder, as strider dataset writes it")
          .required(),
      Row("config", "CONFIG", path(&S::config), any_value(), kMayDiffer,
          "Model configuration (a Llama config.json); the dataset gives the vocabulary")
          .required(),
      Row("output_dir", "OUTPUT_DIR", folder(&S::output_dir), any_value(), kMayDiffer,
          "Folder for checkpoints and final_model"),
      Row("recipe", "RECIPE", choice(&S::recipe, named({Recipe::kReference, Recipe::kFast, Recipe::kLowestLoss})),
          any_value(), kMayDiffer,
          "Values for the settings below that are not given: reference (the defaults), fast (the reference's loss in a "
          "fifth of its tokens, with the surface kept in the first layer), or lowest-loss (the same loss in a sixth)"),
      Row("init_from", "INIT_FROM", folder(&S::init_from), any_value(), kMayDiffer,
          "Model folder whose weights to start from; without it they are drawn from the seed"),
      Row("epochs", "EPOCHS", whole_or_fraction(&S::epochs), above(0, kMost), kMayBeContinued,
          "Passes over the training walks; may be a fraction"),
      Row("batch_size", "BATCH_SIZE", number(&S::batch_size), between(1, kMost), kMustMatch, "Walks per micro-batch"),
      Row("gradient_accumulation_steps", "GRAD_ACCUM", number(&S::gradient_accumulation_steps), between(1, kMost),
          kMustMatch, "Micro-batches per optimizer step"),
      Row("learning_rate", "LEARNING_RATE", number(&S::learning_rate), at_least(0), kMayBeContinued,
          "Peak learning rate"),
      Row("group_learning_rates", "GROUP_LEARNING_RATES",
          group_values(&S::group_learning_rates, {at_least(0), false, "0.01"}), any_value(), kMayBeContinued,
          "Peak learning rates of some kinds of tensors, such as \"matrices=0.01 lm_head=1e-3\"; kinds are embeddings, "
          "matrices (of the blocks), lm_head, norms")
          .before(""),
      Row("max_length", "MAX_LENGTH", number(&S::max_length), between(2, 1 << 20), kMustMatch,
          "Tokens per walk; longer walks are cut")
          .saves_memory(MemorySaving::kByHalf),
      Row("save_steps", "SAVE_STEPS", number(&S::save_steps).marking(&S::is_save_steps_set), between(1, kMost),
          kMayBeContinued, "Steps between checkpoints; set alone, EVAL_STEPS follows"),
      Row("eval_steps", "EVAL_STEPS", number(&S::eval_steps).marking(&S::is_eval_steps_set), between(1, kMost),
          kMayBeContinued, "Steps between evaluations; set alone, SAVE_STEPS follows"),
      Row("final_evaluation", "FINAL_EVALUATION", toggle(&S::final_evaluation), any_value(), kMayBeContinued,
          "Evaluate the last step too, where EVAL_STEPS does not divide it")
          .before(false),
      Row("logging_steps", "LOGGING_STEPS", number(&S::logging_steps), between(1, kMost), kMayDiffer,
          "Steps between log entries"),
      Row("histogram_steps", "HISTOGRAM_STEPS", number(&S::histogram_steps), between(0, kMost), kMayDiffer,
          "Steps between histograms of weights and gradients in the event files; 0: none"),
      Row("representation_steps", "REPRESENTATION_STEPS", number(&S::representation_steps), between(0, kMost),
          kMayDiffer, "Steps between representations of the model on its way, in representations_by_step/; 0: none"),
      Row("geometry_steps", "GEOMETRY_STEPS", number(&S::geometry_steps), between(0, kMost), kMayDiffer,
          "Steps between measures of how much of the graph is in each layer, as strider measure has them; 0: none"),
      Row("seed", "SEED", number(&S::seed), any_value(), kMustMatch, "Seed of the weights and of the order of walks"),
      Row("max_steps", "MAX_STEPS", number(&S::max_steps), between(0, kMost), kMayBeContinued,
          "Steps of the run and its schedule; 0: all epochs"),
      Row("warmup_steps", "WARMUP_STEPS", number(&S::warmup_steps), between(0, kMost), kMayBeContinued,
          "Steps in which the learning rate rises from 0"),
      Row("group_warmup_steps", "GROUP_WARMUP_STEPS",
          group_values(&S::group_warmup_steps, {between(0, kMost), true, "100"}), any_value(), kMayBeContinued,
          "The same of some kinds of tensors, as in GROUP_LEARNING_RATES")
          .before(""),
      Row("optimizer", "OPTIMIZER", choice(&S::optimizer, optimizers()), any_value(), kMustMatch,
          "adamw; sgd (stochastic gradient descent with momentum); or muon (the blocks' matrices by Muon, the rest by "
          "adamw)")
          .before("adamw"),
      Row("momentum", "MOMENTUM", number(&S::momentum), from_to_below(0, 1), kMustMatch, "Momentum of sgd and muon")
          .before(0.9),
      Row("orthogonalize", "ORTHOGONALIZE",
          choice(&S::orthogonalize, named({Orthogonalization::kNewtonSchulz, Orthogonalization::kPolarExpress})),
          any_value(), kMustMatch, "How muon orthogonalizes an update: newton-schulz or polar-express")
          .before("newton-schulz"),
      Row("orthogonalize_steps", "ORTHOGONALIZE_STEPS", number(&S::orthogonalize_steps), between(1, 100), kMustMatch,
          "Steps of that")
          .before(std::int64_t{5}),
      Row("adam_beta1", "ADAM_BETA1", number(&S::adam_beta1), from_to_below(0, 1), kMustMatch,
          "Decay of adamw's mean of gradients")
          .before(0.9),
      Row("adam_beta2", "ADAM_BETA2", number(&S::adam_beta2), from_to_below(0, 1), kMustMatch,
          "Decay of adamw's mean of squared gradients")
          .before(0.999),
      Row("adam_epsilon", "ADAM_EPSILON", number(&S::adam_epsilon), above(0, kMost), kMustMatch,
          "What adamw adds to the root of the mean of squared gradients; where it is far larger than these, steps are "
          "those of gradient descent with momentum")
          .before(1e-8),
      Row("group_adam_beta1", "GROUP_ADAM_BETA1",
          group_values(&S::group_adam_beta1, {from_to_below(0, 1), false, "0.9"}), any_value(), kMustMatch,
          "The first of some kinds of tensors, as in GROUP_LEARNING_RATES")
          .before(""),
      Row("group_adam_beta2", "GROUP_ADAM_BETA2",
          group_values(&S::group_adam_beta2, {from_to_below(0, 1), false, "0.95"}), any_value(), kMustMatch,
          "The second of some kinds of tensors")
          .before(""),
      Row("group_adam_epsilon", "GROUP_ADAM_EPSILON",
          group_values(&S::group_adam_epsilon, {above(0, kMost), false, "1e-3"}), any_value(), kMustMatch,
          "ADAM_EPSILON of some kinds of tensors")
          .before(""),
      Row("weight_decay", "WEIGHT_DECAY", number(&S::weight_decay), at_least(0), kMayBeContinued,
          "Weight decay, on matrices and embeddings"),
      Row("group_weight_decays", "GROUP_WEIGHT_DECAYS",
          group_values(&S::group_weight_decays, {at_least(0), false, "0.1"}), any_value(), kMayBeContinued,
          "The same of some kinds of tensors, as in GROUP_LEARNING_RATES; may reach norms")
          .before(""),
      Row("output_projections", "OUTPUT_PROJECTIONS",
          choice(&S::output_projections, named({OutputProjections::kTorch, OutputProjections::kZero})), any_value(),
          kMustMatch, "How o_proj and down_proj start: torch (drawn as torch does), or zero (each block adds nothing)")
          .before("torch"),
      Row("embedding_scale", "EMBEDDING_SCALE", number(&S::embedding_scale), above(0, kMost), kMustMatch,
          "What the embeddings are multiplied by when they are drawn (torch draws them with a deviation of 0.02)")
          .before(1.0),
      Row("max_grad_norm", "MAX_GRAD_NORM", number(&S::max_grad_norm), at_least(0), kMayBeContinued,
          "Gradients are clipped to this norm; 0: no clipping"),
      Row("lr_scheduler", "LR_SCHEDULER",
          choice(&S::lr_scheduler, named({LrScheduler::kLinear, LrScheduler::kCosine, LrScheduler::kConstant,
                                          LrScheduler::kWarmupStableDecay})),
          any_value(), kMayBeContinued,
          "linear, cosine, constant (which has no warm-up), or warmup_stable_decay (at its peak until it falls to 0)"),
      Row("decay_share", "DECAY_SHARE", number(&S::decay_share), above(0, 1), kMayBeContinued,
          "Share of the steps in which the rate of warmup_stable_decay falls")
          .before(0.2),
      Row("first_layers", "FIRST_LAYERS", number(&S::first_layers), between(0, kMost), kMustMatch,
          "Leave the embeddings and so many layers, the lowest ones, as they are after FIRST_STEPS steps; 0: train all")
          .before(std::int64_t{0}),
      Row("first_steps", "FIRST_STEPS", number(&S::first_steps), between(0, kMost), kMustMatch,
          "Of the steps, the first so many train these layers as if they were the whole model, in a schedule of their "
          "own")
          .before(std::int64_t{0}),
      Row("first_learning_rate", "FIRST_LEARNING_RATE", number(&S::first_learning_rate), at_least(0), kMayBeContinued,
          "Peak learning rate of these steps")
          .before(5e-4),
      Row("first_group_learning_rates", "FIRST_GROUP_LEARNING_RATES",
          group_values(&S::first_group_learning_rates, {at_least(0), false, "0.01"}), any_value(), kMayBeContinued,
          "The same of some kinds of tensors, as in GROUP_LEARNING_RATES")
          .before(""),
      Row("first_group_weight_decays", "FIRST_GROUP_WEIGHT_DECAYS",
          group_values(&S::first_group_weight_decays, {at_least(0), false, "0.1"}), any_value(), kMayBeContinued,
          "Weight decay of some kinds of tensors in these steps, instead of GROUP_WEIGHT_DECAYS")
          .before(""),
      Row("first_embedding_scale", "FIRST_EMBEDDING_SCALE", number(&S::first_embedding_scale), above(0, kMost),
          kMustMatch, "What the embeddings are multiplied by after these steps")
          .before(1.0),
      Row("first_output_scale", "FIRST_OUTPUT_SCALE", number(&S::first_output_scale), above(0, kMost), kMustMatch,
          "What o_proj and down_proj of these layers are multiplied by after these steps")
          .before(1.0),
      Row("head_steps", "HEAD_STEPS", number(&S::head_steps), between(0, kMost), kMayBeContinued,
          "Of the steps, the last so many (at most half) train lm_head alone, in a schedule of their own; the others' "
          "ends before")
          .before(std::int64_t{0}),
      Row("head_learning_rate", "HEAD_LEARNING_RATE", number(&S::head_learning_rate), at_least(0), kMayBeContinued,
          "Peak learning rate of these steps")
          .before(0.01),
      Row("average_share", "AVERAGE_SHARE", number(&S::average_share), between(0, 1), kMayBeContinued,
          "Give final_model the mean of the weights over this last share of the steps (stochastic weight averaging); "
          "training itself goes on without it; 0: the weights of one step")
          .before(0.0),
      Row("average_every", "AVERAGE_EVERY", number(&S::average_every), between(1, kMost), kMayBeContinued,
          "Steps between the weights that are in that mean")
          .before(std::int64_t{10}),
      Row("max_minutes", "MAX_MINUTES", number(&S::max_minutes), at_least(0), kMayBeContinued,
          "Minutes that the run may take; its schedule is fitted to the steps that they are enough for; 0: no limit")
          .before(0.0),
      Row("target_loss", "TARGET_LOSS", number(&S::target_loss), at_least(0), kMayBeContinued,
          "End the run at an evaluation loss per predicted token this low; 0: none")
          .before(0.0),
      Row("target_excess", "TARGET_EXCESS", number(&S::target_excess), at_least(0), kMayBeContinued,
          "End the run at an evaluation loss so little over the best possible one; 0: none")
          .before(0.0),
      Row("patience", "PATIENCE", number(&S::patience), between(0, kMost), kMayBeContinued,
          "End the run after this many evaluations in turn without a lower loss; 0: never")
          .before(0),
      Row("save_total_limit", "SAVE_TOTAL_LIMIT", number(&S::save_total_limit).or_word("all", 0), at_least(1),
          kMayDiffer, "Checkpoints to keep, the newest and the best among them; or all"),
      Row("loss_denominator", "LOSS_DENOMINATOR",
          choice(&S::loss_denominator, named({LossDenominator::kPredictions, LossDenominator::kLabels})), any_value(),
          kMustMatch, "What the sum of losses is divided by: predictions (a mean), or labels (as transformers does)"),
      Row("threads", "THREADS", number(&S::threads).or_word("all", available_processors()), between(1, kMostThreads),
          kMayDiffer, "Threads; or all")
          .saves_memory(MemorySaving::kByOne),
      Row("device", "DEVICE", choice(&S::device, named({Device::kAuto, Device::kCpu, Device::kCuda})), any_value(),
          kMayDiffer, "cpu, cuda (one NVIDIA GPU, or an error), or auto (the GPU where it can do the run)"),
      Row("precision", "PRECISION", choice(&S::precision, precisions), any_value(), kMustMatch,
          "Operands of matrix products: float32, bfloat16 (sums and weights stay float32), tf32 (on a GPU only), or "
          "auto "
          "(the fastest one here)")
          .before("float32"),
      Row("resume", "RESUME", choice(&S::resume, {{"auto", true}, {"never", false}}), any_value(), kMayDiffer,
          "auto: go on with an interrupted run of the same settings; or never"),
      Row("overwrite", "OVERWRITE", toggle(&S::overwrite), any_value(), kMayDiffer,
          "Replace a finished run, or one of other settings; with --resume never any run of Strider's"),
      Row("continue", "CONTINUE", toggle(&S::continue_run), any_value(), kMayDiffer,
          "Go on from the newest checkpoint of a run that had other values of the settings named below"),
  };
}

}  // namespace

const TrainingSettingsTable& training_settings_table() {
  static const TrainingSettingsTable table = make_table();
  return table;
}

void check_ranges(const TrainingSettings& settings, const TrainingSettingsTable& table) {
  for (const TrainingSetting& setting : table) setting.check(settings);
}

}  // namespace strider
