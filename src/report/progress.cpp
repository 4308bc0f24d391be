#include "report/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "report/figures.h"

namespace strider {
namespace {

// Seconds after which work counts a third of what it counted.
constexpr double kMemory = 10.0;

std::string bar_of(const ProgressFigures& figures, std::size_t cells) {
  const double share =
      figures.max_steps > 0
          ? std::clamp(static_cast<double>(figures.step) / static_cast<double>(figures.max_steps), 0.0, 1.0)
          : 0.0;
  const auto full = static_cast<std::size_t>(share * static_cast<double>(cells));
  return fmt::format("[{:#<{}}{:.<{}}] ", "", full, "", cells - full);
}

}  // namespace

void SpeedMeter::add(double tokens, double flops, double steps, double seconds) {
  const double kept = std::exp(-seconds / kMemory);
  tokens_ = tokens_ * kept + tokens;
  flops_ = flops_ * kept + flops;
  steps_ = steps_ * kept + steps;
  seconds_ = seconds_ * kept + seconds;
}

std::string progress_bar(const ProgressFigures& figures, int columns) {
  constexpr std::size_t kLeastCells = 8, kMostCells = 30, kBrackets = 3;
  const std::string step = fmt::format("{}/{}", with_commas(figures.step), with_commas(figures.max_steps));
  const std::string loss = fmt::format("  loss {:.3f}", figures.loss);
  const std::string excess = figures.excess ? fmt::format(" ({:+.3f} over the best)", *figures.excess) : "";
  const std::string short_excess = figures.excess ? fmt::format(" ({:+.3f})", *figures.excess) : "";
  const std::string speed = fmt::format("  {} tokens/s", short_count(figures.tokens_per_second));
  const std::string peak = fmt::format("  {:.0f}% of {}", 100.0 * figures.share_of_peak, figures.peak_name);
  const std::string left = fmt::format("  {} left", short_duration(figures.seconds_left));
  const auto room = static_cast<std::size_t>(std::max(0, columns));
  const std::string whole = fmt::format("{}{}{}{}{}{}", step, loss, excess, speed, peak, left);
  if (whole.size() + kBrackets + kLeastCells <= room) {
    return bar_of(figures, std::min(kMostCells, room - whole.size() - kBrackets)) + whole;
  }
  // From what says most to what says least.
  const std::vector<std::vector<std::string_view>> shorter = {{step, loss, excess, speed, peak, left},
                                                              {step, loss, short_excess, speed, peak, left},
                                                              {step, loss, short_excess, speed, left},
                                                              {step, loss, short_excess, left},
                                                              {step, loss, left},
                                                              {step, loss}};
  for (const auto& parts : shorter) {
    std::string line = fmt::format("{}", fmt::join(parts, ""));
    if (line.size() <= room) return line;
  }
  return step.substr(0, room);
}

std::string progress_line(const ProgressFigures& figures, double learning_rate, double grad_norm) {
  std::string line =
      fmt::format("step {}/{}  loss {:.4f}", with_commas(figures.step), with_commas(figures.max_steps), figures.loss);
  if (figures.excess) line += fmt::format("  {:+.4f} over the best", *figures.excess);
  line += fmt::format("  learning rate {:.3e}  gradient norm {:.3f}", learning_rate, grad_norm);
  line += fmt::format("  {} tokens/s  {:.0f}% of {}  {} left", with_commas(std::llround(figures.tokens_per_second)),
                      100.0 * figures.share_of_peak, figures.peak_name, short_duration(figures.seconds_left));
  return line;
}

}  // namespace strider
