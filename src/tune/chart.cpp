#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "tune/tune.h"

namespace strider {
namespace {

constexpr double kWidth = 720, kHeight = 420, kLeft = 64, kRight = 24, kTop = 40, kBottom = 52;

struct Range {
  double least, most;
  double place(double value, double from, double to) const {
    const double share = most > least ? (value - least) / (most - least) : 0.5;
    return from + share * (to - from);
  }
};

// The best 95%: a run that diverged would flatten all others.
Range shown_losses(const std::vector<Trial>& trials, std::optional<double> best_loss) {
  std::vector<double> losses;
  for (const Trial& trial : trials) losses.push_back(trial.loss);
  std::ranges::sort(losses);
  const double most = losses[static_cast<std::size_t>(0.95 * static_cast<double>(losses.size() - 1))];
  const double least = best_loss.value_or(losses.front());
  return {.least = least - 0.03 * (most - least), .most = most + 0.03 * (most - least)};
}

}  // namespace

std::string tune_chart(const std::vector<Trial>& trials, std::size_t best, std::optional<double> best_loss) {
  const Range losses = shown_losses(trials, best_loss);
  const auto by_tokens = std::ranges::minmax_element(trials, {}, &Trial::tokens);
  const Range tokens{.least = std::log(static_cast<double>(by_tokens.min->tokens)),
                     .most = std::log(static_cast<double>(by_tokens.max->tokens))};
  const auto x = [&](std::int64_t value) {
    return tokens.place(std::log(static_cast<double>(value)), kLeft + 20, kWidth - kRight - 20);
  };
  const auto y = [&](double loss) {
    return std::clamp(losses.place(loss, kHeight - kBottom, kTop), kTop, kHeight - kBottom);
  };
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n"
      "<text x=\"{2}\" y=\"22\" font-size=\"14\">Validation loss of each candidate at the end of its runs</text>\n",
      kWidth, kHeight, kLeft);
  constexpr int kLines = 5;
  for (int i = 0; i < kLines; ++i) {
    const double loss = losses.least + (losses.most - losses.least) * i / (kLines - 1);
    svg += fmt::format(
        "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\" stroke=\"#ddd\"/>"
        "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5:.2f}</text>\n",
        kLeft, kWidth - kRight, y(loss), kLeft - 6, y(loss) + 4, loss);
  }
  if (best_loss) {
    svg += fmt::format(
        "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\" stroke=\"#2a7\" stroke-dasharray=\"5 4\"/>"
        "<text x=\"{1}\" y=\"{3:.1f}\" text-anchor=\"end\" fill=\"#2a7\">best possible: {4:.3f}</text>\n",
        kLeft, kWidth - kRight, y(*best_loss), y(*best_loss) - 4, *best_loss);
  }
  std::map<std::size_t, std::vector<Trial>> by_candidate;
  std::map<std::int64_t, bool> lengths;
  for (const Trial& trial : trials) {
    by_candidate[trial.candidate].push_back(trial);
    lengths[trial.tokens] = true;
  }
  for (const auto& [length, shown] : lengths) {
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:.2g} M</text>\n", x(length),
                       kHeight - kBottom + 18, static_cast<double>(length) * 1e-6);
  }
  svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">tokens of the run</text>\n",
                     (kLeft + kWidth - kRight) / 2, kHeight - 12);
  const auto draw = [&](std::size_t candidate, const char* colour, double width) {
    std::string points;
    for (const Trial& trial : by_candidate[candidate]) {
      points += fmt::format("{:.1f},{:.1f} ", x(trial.tokens), y(trial.loss));
      svg += fmt::format(
          "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"><title>candidate {}: {:.4f}</title></circle>\n",
          x(trial.tokens), y(trial.loss), colour, candidate + 1, trial.loss);
    }
    svg += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"/>\n", points, colour,
                       width);
  };
  for (const auto& [candidate, runs] : by_candidate) {
    if (candidate != best) draw(candidate, "#9ab", 1.0);
  }
  draw(best, "#c33", 2.0);
  return svg + "</svg>\n";
}

}  // namespace strider
