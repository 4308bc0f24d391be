#include "train/settings.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "base/thread_team.h"

namespace strider {
namespace {

template <typename T>
void require(bool fine, const char* option, const char* variable, T value, const char* allowed) {
  if (fine) return;
  throw Error(fmt::format("--{} ({}) is {}, it must be {}", option, variable, value, allowed));
}

}  // namespace

const char* name_of(LrScheduler scheduler) {
  switch (scheduler) {
    case LrScheduler::kLinear:
      return "linear";
    case LrScheduler::kCosine:
      return "cosine";
    case LrScheduler::kConstant:
      return "constant";
  }
  return "";
}

const char* name_of(LossDenominator denominator) {
  return denominator == LossDenominator::kLabels ? "labels" : "predictions";
}

const char* name_of(Precision precision) {
  return precision == Precision::kBfloat16 ? "bfloat16" : "float32";
}

void check_settings(const TrainingSettings& s) {
  static_assert(kMostThreads == 4096, "the message below says so");
  constexpr std::int64_t kMost = 1'000'000'000;
  auto count = [](std::int64_t value) { return value >= 1 && value <= kMost; };
  auto number = [](double value) { return std::isfinite(value) && value >= 0.0; };
  const char* whole = "a whole number of at least 1";
  require(std::isfinite(s.epochs) && s.epochs > 0.0 && s.epochs <= static_cast<double>(kMost), "epochs", "EPOCHS",
          s.epochs, "a number above 0");
  require(count(s.batch_size), "batch_size", "BATCH_SIZE", s.batch_size, whole);
  require(count(s.gradient_accumulation_steps), "gradient_accumulation_steps", "GRAD_ACCUM",
          s.gradient_accumulation_steps, whole);
  require(s.max_length >= 2 && s.max_length <= 1 << 20, "max_length", "MAX_LENGTH", s.max_length,
          "between 2 and 1048576");
  require(count(s.save_steps), "save_steps", "SAVE_STEPS", s.save_steps, whole);
  require(count(s.eval_steps), "eval_steps", "EVAL_STEPS", s.eval_steps, whole);
  require(count(s.logging_steps), "logging_steps", "LOGGING_STEPS", s.logging_steps, whole);
  require(number(s.learning_rate), "learning_rate", "LEARNING_RATE", s.learning_rate, "a number of at least 0");
  require(s.momentum >= 0.0 && s.momentum < 1.0, "momentum", "MOMENTUM", s.momentum, "a number from 0 to below 1");
  require(number(s.weight_decay), "weight_decay", "WEIGHT_DECAY", s.weight_decay, "a number of at least 0");
  require(number(s.max_grad_norm), "max_grad_norm", "MAX_GRAD_NORM", s.max_grad_norm,
          "a number of at least 0 (0: no clipping)");
  require(s.max_steps >= 0 && s.max_steps <= kMost, "max_steps", "MAX_STEPS", s.max_steps,
          "a whole number of at least 0 (0: all epochs)");
  require(s.warmup_steps >= 0 && s.warmup_steps <= kMost, "warmup_steps", "WARMUP_STEPS", s.warmup_steps,
          "a whole number of at least 0");
  require(s.save_total_limit >= 0, "save_total_limit", "SAVE_TOTAL_LIMIT", s.save_total_limit, "at least 1, or all");
  require(s.threads >= 1 && s.threads <= kMostThreads, "threads", "THREADS", s.threads, "between 1 and 4096");
  if (s.continue_run && (s.overwrite || !s.resume)) {
    throw Error(
        fmt::format("--continue (CONTINUE) is true, and {}",
                    s.overwrite ? "--overwrite (OVERWRITE) is true" : "--resume (RESUME) is never"),
        {.file = {},
         .place = {},
         .advice = "CONTINUE goes on with the run in the output folder, the other one begins anew: choose one."});
  }
}

}  // namespace strider
