#include "train/start.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/exists.h"
#include "base/shell_word.h"
#include "model/folder.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

// Fields that weights do not show in their shapes: with others the same weights are another model.
void check_same_model(const LlamaConfig& config, const LlamaConfig& theirs, const fs::path& init_from) {
  const auto require = [&](const char* field, auto wanted, auto found) {
    if (wanted == found) return;
    throw Error(fmt::format("the model of INIT_FROM has {} {}, the configuration says {}", field, found, wanted),
                {.file = (init_from / "config.json").string(),
                 .place = field,
                 .advice = "Give that folder's config.json as CONFIG, or start from another model."});
  };
  require("hidden_size", config.hidden_size, theirs.hidden_size);
  require("intermediate_size", config.intermediate_size, theirs.intermediate_size);
  require("num_hidden_layers", config.num_hidden_layers, theirs.num_hidden_layers);
  require("num_attention_heads", config.num_attention_heads, theirs.num_attention_heads);
  require("num_key_value_heads", config.num_key_value_heads, theirs.num_key_value_heads);
  require("head_dim", config.head_dim, theirs.head_dim);
  require("rope_theta", config.rope_theta, theirs.rope_theta);
  require("rms_norm_eps", config.rms_norm_eps, theirs.rms_norm_eps);
  require("tie_word_embeddings", config.tie_word_embeddings, theirs.tie_word_embeddings);
}

}  // namespace

LlamaConfig read_start_config(const TrainingSettings& settings, std::int64_t vocab_size) {
  if (!is_file(settings.config)) {
    throw Error(fmt::format("Model configuration {} not found!", settings.config.string()),
                {.file = {},
                 .place = {},
                 .advice = "Name a config.json with CONFIG (--config), such as configs/config_2M_llama.json"});
  }
  LlamaConfig config = read_config(settings.config, vocab_size);
  if (config.attention_dropout != 0.0) {
    throw Error(fmt::format("attention_dropout is {}: Strider trains without dropout", config.attention_dropout),
                {.file = settings.config.string(), .place = "attention_dropout", .advice = "Set it to 0.0."});
  }
  if (!settings.init_from) return config;
  if (!is_file(*settings.init_from / "config.json")) {
    const bool is_run = is_file(*settings.init_from / "final_model" / "config.json");
    throw Error("INIT_FROM (--init_from) is no model folder: it has no config.json",
                {.file = settings.init_from->string(),
                 .place = {},
                 .advice = is_run ? fmt::format("It is a run: its model is {}",
                                                shell_word((*settings.init_from / "final_model").string()))
                                  : "Name a final_model or checkpoint folder, or leave it out."});
  }
  const LlamaConfig theirs = read_config(*settings.init_from / "config.json");
  check_same_model(config, theirs, *settings.init_from);
  if (theirs.vocab_size < config.vocab_size) {
    throw Error(fmt::format("the model of INIT_FROM has a vocabulary of {}, and {} needs {}", theirs.vocab_size,
                            config.vocab_size > vocab_size ? "CONFIG" : "the dataset", config.vocab_size),
                {.file = (*settings.init_from / "config.json").string(),
                 .place = "vocab_size",
                 .advice = "Start from a model whose vocabulary has all ids, or train on walks over its nodes."});
  }
  config.vocab_size = theirs.vocab_size;
  return config;
}

void check_parts(const TrainingSettings& settings, const LlamaConfig& config) {
  if (settings.head_steps > 0 && config.tie_word_embeddings) {
    throw Error("HEAD_STEPS (--head_steps) train lm_head alone, and with tied embeddings it is the embeddings",
                {.file = settings.config.string(), .place = "tie_word_embeddings", .advice = "Set HEAD_STEPS=0."});
  }
  if (settings.first_layers == 0 && settings.first_steps == 0) return;
  if (settings.first_layers == 0) {
    throw Error(fmt::format("FIRST_STEPS (--first_steps) is {}, and FIRST_LAYERS is 0: no layers are left to train in "
                            "them",
                            settings.first_steps),
                {.file = {}, .place = {}, .advice = "Set FIRST_LAYERS, or FIRST_STEPS=0."});
  }
  if (settings.first_layers >= config.num_hidden_layers) {
    throw Error(
        fmt::format("FIRST_LAYERS (--first_layers) is {}, and the model has {}: none would be left to learn "
                    "above them",
                    settings.first_layers, config.num_hidden_layers),
        {.file = settings.config.string(), .place = "num_hidden_layers", .advice = "Set FIRST_LAYERS to fewer."});
  }
  if (config.tie_word_embeddings) {
    throw Error("FIRST_LAYERS (--first_layers) leave the embeddings alone, and with tied embeddings lm_head is these",
                {.file = settings.config.string(), .place = "tie_word_embeddings", .advice = "Set FIRST_LAYERS=0."});
  }
  if (settings.first_steps > 0 && settings.init_from) {
    throw Error(
        "FIRST_STEPS (--first_steps) train the first layers as if the others were not there, and the model of "
        "INIT_FROM has them",
        {.file = settings.init_from->string(),
         .place = {},
         .advice = "Set FIRST_STEPS=0: its embeddings and first layers are then left alone from the start."});
  }
}

std::vector<float> initial_weights(const TrainingSettings& settings, const LlamaConfig& config,
                                   const ParameterLayout& layout) {
  std::vector<float> values(static_cast<std::size_t>(layout.total()));
  if (settings.init_from) {
    read_weights(*settings.init_from, layout, values);
  } else {
    initialize_parameters(config, layout, settings.seed, values);
    if (settings.output_projections == OutputProjections::kZero) {
      zero_output_projections(layout, 0, values);
    } else if (settings.first_steps > 0) {
      zero_output_projections(layout, settings.first_layers, values);
    }
    if (settings.embedding_scale != 1.0) {
      scale_embeddings(layout, static_cast<float>(settings.embedding_scale), values);
    }
  }
  return values;
}

TrainingSettings with_resolved_steps(TrainingSettings settings, const std::function<void(const std::string&)>& notice) {
  if (settings.is_save_steps_set == settings.is_eval_steps_set || settings.save_steps % settings.eval_steps == 0) {
    return settings;
  }
  std::int64_t& follower = settings.is_save_steps_set ? settings.eval_steps : settings.save_steps;
  follower = settings.is_save_steps_set ? settings.save_steps : settings.eval_steps;
  notice(fmt::format("{} is {} as well, since {} is and checkpoints need an evaluation of their step",
                     settings.is_save_steps_set ? "EVAL_STEPS" : "SAVE_STEPS", follower,
                     settings.is_save_steps_set ? "SAVE_STEPS" : "EVAL_STEPS"));
  return settings;
}

namespace {

std::int64_t single_token_walks(const WalkSplit& split) {
  std::int64_t count = 0;
  for (std::int64_t walk = 0; walk < split.size(); ++walk) count += split.length(walk) == 1;
  return count;
}

}  // namespace

void check_predictions(const WalkDataset& dataset, const TrainingSettings& settings) {
  if (single_token_walks(dataset.train) < dataset.train.size()) return;
  throw Error(
      "no training walk has a token to predict: each is one token long",
      {.file = settings.dataset_dir.string(), .place = "train", .advice = "Train on walks of two tokens or more."});
}

WalkDataset without_empty_validation(WalkDataset dataset, const std::function<void(const std::string&)>& notice) {
  if (!dataset.validation || single_token_walks(*dataset.validation) < dataset.validation->size()) return dataset;
  dataset.validation.reset();
  notice("The validation split counts as none: no walk in it has a token to predict");
  return dataset;
}

std::vector<std::string> plan_warnings(const TrainingSettings& s, const WalkDataset& dataset, const StepPlan& plan) {
  std::vector<std::string> lines;
  const auto warn = [&](bool applies, auto format, const auto&... values) {
    if (applies) lines.push_back("Warning: " + fmt::format(fmt::runtime(format), values...));
  };
  warn(s.lr_scheduler != LrScheduler::kConstant && s.warmup_steps >= plan.max_steps && s.warmup_steps > 0,
       "WARMUP_STEPS is {}, and the run has {} steps: the learning rate never reaches its peak", s.warmup_steps,
       plan.max_steps);
  const bool is_rate_for_all =
      std::ranges::none_of(s.group_learning_rates, [](const auto& r) { return r.has_value(); });
  for (std::size_t kind = 0; kind < kTensorKinds && s.lr_scheduler != LrScheduler::kConstant; ++kind) {
    const double warmup = s.group_warmup_steps[kind].value_or(0.0);
    warn(warmup > 0.0 && warmup >= static_cast<double>(plan.max_steps),
         "GROUP_WARMUP_STEPS has {}={}, and the run has {} steps: that learning rate never reaches its peak",
         kTensorKindNames[kind], warmup, plan.max_steps);
  }
  warn(s.first_steps > 0 && s.first_steps >= plan.max_steps,
       "FIRST_STEPS is {}, and the run has {} steps: the layers above the first {} are never trained; give it more "
       "steps, or set fewer FIRST_STEPS",
       s.first_steps, plan.max_steps, s.first_layers);
  warn(s.learning_rate == 0.0 && is_rate_for_all, "LEARNING_RATE is 0: the weights do not change");
  const auto matrices = static_cast<std::size_t>(TensorKind::kMatrices);
  warn(s.optimizer == "muon" && !s.group_learning_rates[matrices],
       "OPTIMIZER is muon, and the matrices have the learning rate of all other weights ({}), which is small for muon: "
       "GROUP_LEARNING_RATES=matrices=0.01 gives them one of their own",
       s.learning_rate);
  warn(s.gradient_accumulation_steps > plan.batches,
       "GRAD_ACCUM is {}, and an epoch has {} micro-batches: each step takes what the epoch has",
       s.gradient_accumulation_steps, plan.batches);
  warn(s.batch_size > plan.walks, "BATCH_SIZE is {}, and there are {} training walks: each step takes all of them",
       s.batch_size, plan.walks);
  warn(s.save_steps > plan.max_steps, "SAVE_STEPS is {}, and the run has {} steps: its only checkpoint is the last one",
       s.save_steps, plan.max_steps);
  warn(s.logging_steps > plan.max_steps, "LOGGING_STEPS is {}, and the run has {} steps: it logs none of them",
       s.logging_steps, plan.max_steps);
  const std::int64_t averaged = s.average_share > 0.0 ? plan.max_steps - average_begin(s, plan.max_steps) : 0;
  warn(averaged > 0 && s.average_every >= averaged,
       "AVERAGE_EVERY is {}, and the mean is over the last {} steps: it has the weights of one or two of them",
       s.average_every, averaged);
  warn(
      averaged > 0 && s.head_steps > 0,
      "HEAD_STEPS is {} and AVERAGE_SHARE is {}: the mean is over the last {} steps, in which lm_head alone is trained",
      s.head_steps, s.average_share, averaged);
  warn(dataset.validation && s.eval_steps > plan.max_steps && !s.final_evaluation && s.average_share == 0.0,
       "EVAL_STEPS is {}, and the run has {} steps: it is evaluated at its end alone, and its last weights become the "
       "final model",
       s.eval_steps, plan.max_steps);
  const auto count = [&](const WalkSplit& split, const char* kind) {
    const std::int64_t single = single_token_walks(split);
    warn(single > 0, "{} of {} {} walks are one token long, which leaves nothing to predict", single, split.size(),
         kind);
  };
  count(dataset.train, "training");
  if (dataset.validation) count(*dataset.validation, "validation");
  return lines;
}

void check_save_steps(const TrainingSettings& settings, const WalkDataset& dataset) {
  if (!dataset.validation || settings.save_steps % settings.eval_steps == 0) return;
  throw Error(fmt::format("--save_steps (SAVE_STEPS) is {}, it must be a multiple of --eval_steps (EVAL_STEPS), {}",
                          settings.save_steps, settings.eval_steps),
              {.file = {},
               .place = {},
               .advice = "Otherwise the weights with the lowest evaluation loss may not be among the saved ones."});
}

void refuse_to_resume(const fs::path& output_dir, const std::string& checkpoint) {
  throw Error("RESUME is never, and the output folder has an interrupted run",
              {.file = output_dir.string(),
               .place = checkpoint,
               .advice = "RESUME=auto goes on with it, OVERWRITE=true replaces it."});
}

}  // namespace strider
