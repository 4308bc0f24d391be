#pragma once
// strider tune: a search for the values with which a model learns a dataset fastest, by successive halving over short
// runs on this machine. It can be stopped and killed at any time; the same call goes on.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/precision.h"
#include "train/signals.h"
#include "tune/halving.h"
#include "tune/score.h"
#include "tune/search_space.h"

namespace strider {

struct TuneSettings {
  std::filesystem::path dataset_dir;
  std::filesystem::path config;
  std::filesystem::path output_dir;
  std::filesystem::path graph_dir;  // of the dataset's graph, where keep_surface is set
  bool keep_surface = false;        // score() by the measures of the surface as well
  std::int64_t candidates = 27;
  std::int64_t tokens = 2'300'000;  // of the longest runs
  double max_minutes = 0.0;         // fewer candidates where these are not enough for all; 0: no limit
  std::uint64_t seed = 42;          // draws the candidates; every run has the seed of `strider train`
  std::int64_t max_length = 128;
  int threads = 1;
  std::optional<Precision> precision = std::nullopt;  // none: the faster one on this machine
};

/// One run of the search.
struct Trial {
  std::size_t candidate = 0;
  std::size_t rung = 0;
  std::int64_t tokens = 0;
  double loss = 0.0;  // nats per predicted token of the validation split, after the last step
  std::optional<SurfaceMeasures> surface;
  double score = 0.0;
  double seconds = 0.0;  // of training
};

class TuneListener {
 public:
  virtual ~TuneListener() = default;
  virtual void on_notice(const std::string& text) = 0;
  /// Before the first run of this sitting: `done` of `all` runs were made by earlier ones.
  virtual void on_plan(const std::vector<Rung>& rungs, std::size_t done, std::size_t all) = 0;
  virtual void on_trial(const Trial& trial, const Candidate& candidate, std::size_t done, std::size_t all) = 0;
};

struct TuneOutcome {
  int stopped_by = 0;  // the signal's number; 0: the search is over
  Trial best;
  Candidate candidate;    // that made it
  std::string variables;  // its values as variables of the numbered scripts
  std::filesystem::path json, chart;
};

/// Writes output_dir/tune.json (everything that is known so far, after each run) and at the end tune.svg, the losses by
/// tokens. Runs are in output_dir/rung-{n}/candidate-{n}; those of the last rung stay. Throws Error: settings out of
/// range, a dataset without a validation split, an output folder with another search, and as train() and
/// measure_geometry().
TuneOutcome tune(const TuneSettings& settings, TuneListener& listener, TrainingSignals& signals);

/// The chart of a finished search, an SVG file: for each candidate the losses of its runs by their tokens.
std::string tune_chart(const std::vector<Trial>& trials, std::size_t best, std::optional<double> best_loss);

}  // namespace strider
