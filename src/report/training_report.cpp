#include "report/training_report.h"

#include <fmt/format.h>

#include "report/figures.h"

namespace strider {
namespace {

std::string plural(std::int64_t count, const std::string& what) {
  return fmt::format("{} {}{}", with_commas(count), what, count == 1 ? "" : "s");
}

void show_model(Screen& screen, const RunStarted& s) {
  const std::string groups =
      s.key_value_heads == s.heads ? "" : fmt::format(" ({} for keys and values)", s.key_value_heads);
  screen.line(fmt::format("Model: {}", s.config));
  screen.line(fmt::format("  {}, hidden size {}, {}{}, intermediate size {}, vocabulary {}", plural(s.layers, "layer"),
                          s.hidden_size, plural(s.heads, "head"), groups, s.intermediate_size,
                          with_commas(s.vocab_size)));
  const auto total = static_cast<double>(s.parameters);
  const std::int64_t rest = s.parameters - s.embedding_parameters;
  screen.line(fmt::format("  Parameters: {} ({} embedding, {} non-embedding, {:.1f}%)", with_commas(s.parameters),
                          with_commas(s.embedding_parameters), with_commas(rest),
                          100.0 * static_cast<double>(rest) / total));
}

void show_data(Screen& screen, const RunStarted& s) {
  screen.line(fmt::format("Data: {}", s.dataset_dir));
  screen.line(fmt::format("  {} to train on, {} tokens (cut at {} each)", plural(s.train_walks, "walk"),
                          with_commas(s.tokens_per_epoch), s.max_length));
  screen.line(s.validation_walks > 0 ? fmt::format("  {} to validate on, every {}", plural(s.validation_walks, "walk"),
                                                   plural(s.eval_steps, "step"))
                                     : "  no validation split: the last weights become the final model");
  if (s.best_loss)
    screen.line(fmt::format("  Best loss that any model can reach: {:.4f} per predicted token", *s.best_loss));
}

std::string shares(const std::vector<std::pair<std::string, double>>& parts) {
  double total = 0.0;
  for (const auto& [name, amount] : parts) total += amount;
  std::string text;
  for (const auto& [name, amount] : parts) {
    const double share = total > 0.0 ? 100.0 * amount / total : 0.0;
    text += fmt::format("{}{} {:.1f}%", text.empty() ? "" : ", ", name, share);
  }
  return text;
}

void show_run(Screen& screen, const RunStarted& s) {
  const double epochs = static_cast<double>(s.max_steps) / static_cast<double>(s.steps_per_epoch);
  screen.line(fmt::format("Run: {}", s.output_dir));
  screen.line(fmt::format("  {} of {} ({:.4g} epoch{})", plural(s.max_steps, "step"), plural(s.walks_per_step, "walk"),
                          epochs, epochs == 1.0 ? "" : "s"));
  screen.line(fmt::format("  Learning rate: {}", s.schedule));
  screen.line(fmt::format("  Loss: the sum over a step, divided by its {}", s.loss_denominator));
  if (!s.resumed_from.empty()) {
    screen.line(fmt::format("  Going on after step {}, from {}", with_commas(s.first_step), s.resumed_from));
  }
}

void show_machine(Screen& screen, const RunStarted& s) {
  const std::string ranks = s.ranks > 1 ? fmt::format("{} of ", plural(s.ranks, "rank")) : std::string();
  screen.line(fmt::format("Machine: {}, {}, {}{}", s.processor, s.vectors, ranks, plural(s.threads, "thread")));
  const bool float32 = s.precision == "float32";
  screen.line(float32 ? std::string("  Precision: float32")
                      : fmt::format("  Precision: {} products, float32 sums and weights", s.precision));
  screen.line(fmt::format("  Memory: {} of {}", short_bytes(s.memory_bytes), short_bytes(s.memory_limit)));
  screen.line(fmt::format("  Time: {}{}, for arithmetic alone at its float32 peak of {}",
                          short_duration(s.arithmetic_seconds_of_steps()), float32 ? " at the least" : "",
                          short_flops(s.peak_flops)));
}

}  // namespace

void TrainingReport::on_start(const RunStarted& event) {
  run_ = event;
  step_ = event.first_step;
  show_model(screen_, event);
  show_data(screen_, event);
  show_run(screen_, event);
  show_machine(screen_, event);
  screen_.line("");
}

std::optional<double> TrainingReport::excess(std::optional<double> loss_per_prediction) const {
  if (!run_.best_loss || !loss_per_prediction) return std::nullopt;
  return *loss_per_prediction - *run_.best_loss;
}

double TrainingReport::seconds_left() const {
  const double steps = static_cast<double>(run_.max_steps - step_) * speed_.seconds_per_step();
  if (run_.validation_walks == 0 || run_.eval_steps == 0) return steps;
  double each = evaluation_seconds_;
  if (each == 0.0 && speed_.tokens_per_second() > 0.0) {
    // Until one was seen: evaluation is the forward third of training on as many tokens.
    const double walk_tokens = static_cast<double>(run_.tokens_per_epoch) / static_cast<double>(run_.train_walks);
    each = static_cast<double>(run_.validation_walks) * walk_tokens / speed_.tokens_per_second() / 3.0;
  }
  const std::int64_t left = run_.max_steps / run_.eval_steps - step_ / run_.eval_steps;
  return steps + static_cast<double>(left) * each;
}

ProgressFigures TrainingReport::figures(double loss, std::optional<double> loss_per_prediction) const {
  ProgressFigures figures;
  figures.step = step_;
  figures.max_steps = run_.max_steps;
  figures.loss = loss;
  figures.excess = excess(loss_per_prediction);
  figures.tokens_per_second = speed_.tokens_per_second();
  figures.share_of_peak = run_.peak_flops > 0.0 ? speed_.flops_per_second() / run_.peak_flops : 0.0;
  if (run_.precision != "float32") figures.peak_name = "float32 peak";
  figures.seconds_left = seconds_left();
  return figures;
}

void TrainingReport::on_step(const StepDone& event) {
  step_ = event.step;
  if (event.last_step > 0) run_.max_steps = event.last_step;
  speed_.add(static_cast<double>(event.tokens), event.flops, 1.0, event.seconds);
  const Clock::time_point now = now_();
  if (screen_.wants_status(now)) {
    screen_.status(progress_bar(figures(event.loss, event.loss_per_prediction), screen_.columns()), now);
  }
}

// Of each measure the layer where it is largest.
void TrainingReport::on_geometry(const GeometryMeasured& event) {
  constexpr std::pair<const char*, const char*> kShown[] = {{"neighbours", "neighbours"},
                                                            {"within_two", "within two"},
                                                            {"geodesic_correlation", "geodesics"},
                                                            {"component_correlation", "three components"}};
  std::string text;
  for (const auto& [name, shown] : kShown) {
    std::optional<double> best;
    for (const ArrayGeometry& array : event.arrays) {
      for (const auto& [measure, value] : array.measures) {
        if (measure == name && (!best || value > *best)) best = value;
      }
    }
    if (best) text += fmt::format("{}{} {:.2f}", text.empty() ? "" : ", ", shown, *best);
  }
  if (text.empty()) text = "no measure is defined";
  screen_.line(fmt::format("Step {}: geometry, each from its best layer: {}", with_commas(event.step), text));
}

void TrainingReport::on_log(const Logged& event) {
  if (screen_.is_terminal()) return;
  screen_.line(progress_line(figures(event.loss, event.loss_per_prediction), event.learning_rate, event.grad_norm));
}

void TrainingReport::on_evaluation(const Evaluated& event) {
  evaluation_seconds_ = event.seconds;
  std::string text = fmt::format("Step {}: evaluation loss {:.4f}", with_commas(event.step), event.loss);
  if (const auto over = excess(event.loss_per_prediction)) {
    text += fmt::format(", {:+.4f} over the best possible", *over);
  }
  screen_.line(text + fmt::format(" ({})", short_duration(event.seconds)));
}

void TrainingReport::on_checkpoint(const CheckpointWritten& event) {
  screen_.line(fmt::format("Step {}: checkpoint in {}", with_commas(event.step), event.folder));
}

void TrainingReport::on_notice(const std::string& text) {
  screen_.line(text);
}

void TrainingReport::on_end(const RunEnded& event) {
  screen_.line("");
  screen_.line(kRule);
  screen_.line("Training complete!");
  screen_.line(kRule);
  screen_.line(fmt::format("{} in {}", plural(event.steps, "step"), short_duration(event.seconds)));
  if (!event.wall_seconds.empty()) screen_.line("Time of this sitting: " + shares(event.wall_seconds));
  if (event.eval_loss) {
    std::string text = fmt::format("Evaluation loss of the final model: {:.4f}", *event.eval_loss);
    if (event.best_loss && event.eval_per_prediction) {
      text += fmt::format(" (best possible {:.4f}, {:+.4f} over it)", *event.best_loss,
                          *event.eval_per_prediction - *event.best_loss);
    }
    screen_.line(text);
  }
  if (event.averaged_steps > 0) {
    screen_.line(fmt::format("  its weights are the mean of those after {} of the last steps (AVERAGE_SHARE)",
                             with_commas(event.averaged_steps)));
  } else if (event.best_checkpoint.empty()) {
    screen_.line("  its weights are those of the last step");
  } else {
    screen_.line("  its weights are those of " + event.best_checkpoint + ", the best that were evaluated");
    if (event.last_evaluated_step < event.steps) {
      screen_.line(fmt::format("  (steps {} to {} were not: FINAL_EVALUATION=true evaluates the last one too)",
                               with_commas(event.last_evaluated_step + 1), with_commas(event.steps)));
    }
  }
  screen_.line("");
  screen_.line("Model saved to: " + event.final_model);
  screen_.line("Log: " + event.output_dir + "/trainer_state.json");
}

}  // namespace strider
