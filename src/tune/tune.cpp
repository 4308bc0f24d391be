#include "tune/tune.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "base/exists.h"
#include "data/walk_dataset.h"
#include "extract/extract.h"
#include "io/atomic_file.h"
#include "io/json.h"
#include "model/parameters.h"
#include "train/run_lock.h"
#include "train/start.h"
#include "train/trainer.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr std::int64_t kNever = 1'000'000'000;  // steps

class Search {
 public:
  Search(const TuneSettings& settings, TuneListener& listener, TrainingSignals& signals)
      : settings_(settings), listener_(listener), signals_(signals), dataset_(open_dataset(settings.dataset_dir)) {
    if (!dataset_.validation) {
      throw Error("the dataset has no validation split, by whose loss runs are compared",
                  {.file = settings.dataset_dir.string(),
                   .place = {},
                   .advice = "Make it with TRAIN_SPLIT below 1 (01c_dataset_preparation.sh)."});
    }
    TrainingSettings run;
    run.config = settings.config;
    model_ = recipe_model(read_start_config(run, dataset_.vocab.vocab_size));
  }

  TuneOutcome run() {
    const RunLock lock(settings_.output_dir);
    read_earlier();
    if (candidate_count_ == 0) candidate_count_ = fitting_candidates();
    if (signals_.stop.load() != 0) return stopped();
    candidates_ = draw_candidates(candidate_count_, model_, !settings_.keep_surface, settings_.seed);
    rungs_ = plan_rungs(candidate_count_, settings_.tokens);
    all_ = static_cast<std::size_t>(runs_of(rungs_));
    listener_.on_plan(rungs_, trials_.size(), all_);
    save();
    std::vector<std::size_t> left(candidates_.size());
    for (std::size_t i = 0; i < left.size(); ++i) left[i] = i;
    for (std::size_t rung = 0; rung < rungs_.size(); ++rung) {
      std::vector<double> scores;
      for (const std::size_t candidate : left) {
        const std::optional<Trial> trial = trial_of(candidate, rung);
        if (!trial) return stopped();
        scores.push_back(trial->score);
      }
      const std::size_t keep =
          rung + 1 < rungs_.size() ? static_cast<std::size_t>(rungs_[rung + 1].candidates) : std::size_t{1};
      std::vector<std::size_t> next;
      for (const std::size_t i : best_of(scores, keep)) next.push_back(left[i]);
      left = next;
    }
    return finished(left.front());
  }

 private:
  fs::path json_file() const { return settings_.output_dir / "tune.json"; }

  fs::path trial_folder(std::size_t candidate, std::size_t rung) const {
    return settings_.output_dir / fmt::format("rung-{}", rung + 1) / fmt::format("candidate-{}", candidate + 1);
  }

  // What makes it another search.
  Json identity() const {
    return {{"version", kVersion},
            {"dataset_dir", fs::absolute(settings_.dataset_dir).lexically_normal().string()},
            {"config", fs::absolute(settings_.config).lexically_normal().string()},
            {"keep_surface", settings_.keep_surface},
            {"tokens", settings_.tokens},
            {"most_candidates", settings_.candidates},
            {"max_minutes", settings_.max_minutes},
            {"seed", settings_.seed},
            {"max_length", settings_.max_length},
            {"precision", settings_.precision ? name_of(*settings_.precision) : "auto"}};
  }

  // Trials that were made before, in this folder by the same search.
  void read_earlier() {
    if (!path_exists(json_file())) return;
    const nlohmann::json earlier = read_json(json_file());
    if (!earlier.contains("search") || earlier["search"] != nlohmann::json(identity())) {
      throw Error("this folder has a search with other settings",
                  {.file = json_file().string(),
                   .place = {},
                   .advice = "Give another --output_dir, or remove this folder if you no longer need it."});
    }
    candidate_count_ = json_integer(earlier, "candidate_count", json_file());
    for (const nlohmann::json& object : earlier["trials"]) {
      Trial trial{.candidate = static_cast<std::size_t>(json_integer(object, "candidate", json_file()) - 1),
                  .rung = static_cast<std::size_t>(json_integer(object, "rung", json_file()) - 1),
                  .tokens = json_integer(object, "tokens", json_file()),
                  .loss = json_number(object, "loss", json_file()),
                  .surface = std::nullopt,
                  .score = json_number(object, "score", json_file()),
                  .seconds = json_number(object, "seconds", json_file())};
      if (object.contains("neighbours")) {
        trial.surface = SurfaceMeasures{.neighbours = json_number(object, "neighbours", json_file()),
                                        .within_two = json_number(object, "within_two", json_file()),
                                        .geodesics = json_number(object, "geodesics", json_file()),
                                        .components = json_number(object, "components", json_file())};
      }
      trials_.push_back(trial);
    }
  }

  static Json trial_json(const Trial& trial) {
    Json object = {{"candidate", trial.candidate + 1},
                   {"rung", trial.rung + 1},
                   {"tokens", trial.tokens},
                   {"loss", trial.loss},
                   {"score", trial.score},
                   {"seconds", trial.seconds}};
    if (trial.surface) {
      object["neighbours"] = trial.surface->neighbours;
      object["within_two"] = trial.surface->within_two;
      object["geodesics"] = trial.surface->geodesics;
      object["components"] = trial.surface->components;
    }
    return object;
  }

  void save(const std::optional<std::size_t>& best = std::nullopt) const {
    Json json = {{"search", identity()}, {"candidate_count", candidate_count_}};
    json["best_possible_loss"] = dataset_.vocab.best_loss ? Json(*dataset_.vocab.best_loss) : Json(nullptr);
    json["candidates"] = Json::array();
    for (const Candidate& candidate : candidates_) {
      Json values = Json::object();
      for (const RecipeValue& value : candidate.values) values[value.option] = value.value;
      json["candidates"].push_back(
          {{"values", values}, {"slow_start", candidate.slow_start}, {"shares", candidate.shares}});
    }
    json["rungs"] = Json::array();
    for (const Rung& rung : rungs_) json["rungs"].push_back({{"candidates", rung.candidates}, {"tokens", rung.tokens}});
    json["trials"] = Json::array();
    for (const Trial& trial : trials_) json["trials"].push_back(trial_json(trial));
    json["best"] = nullptr;
    if (best) {
      const Trial& trial = trials_[*best];
      json["best"] = trial_json(trial);
      json["best"]["variables"] = variables(trial);
    }
    write_file_atomically(json_file(), json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  }

  std::string variables(const Trial& trial) const {
    return variables_text(values_of_run(candidates_[trial.candidate], trial.tokens, settings_.max_length));
  }

  TrainingSettings run_settings(const Candidate& candidate, std::int64_t tokens, const fs::path& folder) const {
    TrainingSettings run;
    set_values(run, values_of_run(candidate, tokens, settings_.max_length));
    run.dataset_dir = settings_.dataset_dir;
    run.config = settings_.config;
    run.output_dir = folder;
    run.max_length = settings_.max_length;
    run.threads = settings_.threads;
    run.precision = settings_.precision;
    // As many passes over the walks as the steps take: more than that ends with MAX_STEPS.
    run.epochs = 1.0 + static_cast<double>(tokens) / static_cast<double>(dataset_.train.tokens(settings_.max_length));
    run.save_total_limit = 1;
    // One evaluation, at the end, and a checkpoint only where the search is stopped.
    run.eval_steps = run.save_steps = kNever;
    run.final_evaluation = true;
    return run;
  }

  // Hears of a run only what the user has to know.
  class Quiet : public RunListener {
   public:
    void on_step(const StepDone& step) override { seconds += step.seconds; }
    void on_end(const RunEnded& end) override { all_seconds = end.seconds; }
    double seconds = 0.0;      // of steps, in this sitting
    double all_seconds = 0.0;  // of the run, over all sittings
  };

  // How many candidates max_minutes is enough for: a short run tells how long steps and the rest of a run take.
  std::int64_t fitting_candidates() {
    if (settings_.max_minutes <= 0.0) return settings_.candidates;
    const fs::path folder = settings_.output_dir / "speed";
    constexpr std::int64_t kSteps = 12;
    const Candidate first = draw_candidates(1, model_, !settings_.keep_surface, settings_.seed).front();
    TrainingSettings run = run_settings(first, settings_.tokens, folder);
    run.max_steps = kSteps;
    run.overwrite = true;
    run.resume = false;
    Quiet quiet;
    const Clock::time_point began = Clock::now();
    train(run, quiet, signals_);
    const double whole = seconds_since(began);
    remove_atomically(folder);
    if (signals_.stop.load() != 0) return 0;
    const auto tokens = static_cast<double>(kSteps * run.batch_size * run.max_length);
    const double per_token = quiet.seconds / tokens;
    const double per_run = whole - quiet.seconds;
    const auto seconds = [&](std::int64_t candidates) {
      const std::vector<Rung> rungs = plan_rungs(candidates, settings_.tokens);
      return per_run * static_cast<double>(runs_of(rungs)) + per_token * static_cast<double>(tokens_of(rungs));
    };
    std::int64_t fitting = settings_.candidates;
    while (fitting > 1 && seconds(fitting) > 60.0 * settings_.max_minutes) --fitting;
    if (fitting < settings_.candidates) {
      listener_.on_notice(fmt::format("{:g} minutes are enough for {} candidates of {} ({:.0f} s for a whole run)",
                                      settings_.max_minutes, fitting, settings_.candidates,
                                      per_run + per_token * static_cast<double>(settings_.tokens)));
    }
    return fitting;
  }

  std::vector<Trial>::const_iterator find_trial(std::size_t candidate, std::size_t rung) const {
    return std::ranges::find_if(trials_,
                                [&](const Trial& trial) { return trial.candidate == candidate && trial.rung == rung; });
  }

  // Made before, or made now; nothing where a signal asks to stop.
  std::optional<Trial> trial_of(std::size_t candidate, std::size_t rung) {
    const auto found = find_trial(candidate, rung);
    if (found != trials_.end()) return *found;
    const fs::path folder = trial_folder(candidate, rung);
    Quiet quiet;
    const TrainingOutcome outcome =
        train(run_settings(candidates_[candidate], rungs_[rung].tokens, folder), quiet, signals_);
    if (outcome.stopped_by != 0 || signals_.stop.load() != 0) return std::nullopt;
    Trial trial{.candidate = candidate,
                .rung = rung,
                .tokens = rungs_[rung].tokens,
                .loss = outcome.final_eval_per_prediction.value(),
                .surface = std::nullopt,
                .score = 0.0,
                .seconds = quiet.all_seconds};
    if (settings_.keep_surface) trial.surface = measure(folder);
    trial.score = score(trial.loss, trial.surface);
    trials_.push_back(trial);
    save();
    if (rung + 1 < rungs_.size()) remove_atomically(folder);
    listener_.on_trial(trial, candidates_[candidate], trials_.size(), all_);
    return trial;
  }

  SurfaceMeasures measure(const fs::path& folder) const {
    const fs::path representations = folder / "token_representations";
    extract(plan_extraction({.model_dir = folder / "final_model",
                             .output_dir = representations,
                             .representations = {"after_block"},
                             .overwrite = true,
                             .threads = settings_.threads}),
            {});
    const GeometryReport report = measure_geometry({.representations = representations,
                                                    .graph = settings_.graph_dir,
                                                    .output = std::nullopt,
                                                    .arrays = {},
                                                    .nearest = 8,
                                                    .threads = settings_.threads});
    return best_layer(report.layers).value();
  }

  TuneOutcome stopped() const {
    TuneOutcome outcome;
    outcome.stopped_by = signals_.stop.load();
    return outcome;
  }

  TuneOutcome finished(std::size_t candidate) const {
    const auto found = find_trial(candidate, rungs_.size() - 1);
    const auto best = static_cast<std::size_t>(found - trials_.begin());
    save(best);
    const fs::path chart = settings_.output_dir / "tune.svg";
    write_file_atomically(chart, tune_chart(trials_, candidate, dataset_.vocab.best_loss));
    return {.stopped_by = 0,
            .best = *found,
            .candidate = candidates_[candidate],
            .variables = variables(*found),
            .json = json_file(),
            .chart = chart};
  }

  const TuneSettings settings_;
  TuneListener& listener_;
  TrainingSignals& signals_;
  WalkDataset dataset_;
  RecipeModel model_;
  std::int64_t candidate_count_ = 0;
  std::vector<Candidate> candidates_;
  std::vector<Rung> rungs_;
  std::vector<Trial> trials_;
  std::size_t all_ = 0;
};

}  // namespace

TuneOutcome tune(const TuneSettings& settings, TuneListener& listener, TrainingSignals& signals) {
  return Search(settings, listener, signals).run();
}

}  // namespace strider
