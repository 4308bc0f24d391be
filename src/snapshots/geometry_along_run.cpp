#include <fmt/format.h>

#include <algorithm>

#include "base/background_job.h"
#include "base/clock.h"
#include "base/error.h"
#include "geometry/graph_measurer.h"
#include "geometry/representations.h"
#include "snapshots/along_run.h"
#include "snapshots/token_vectors.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

class GeometryAlongRun : public RunListener {
 public:
  GeometryAlongRun(fs::path output_dir, std::optional<fs::path> graph, int threads, RunListener& listener)
      : output_dir_(std::move(output_dir)), graph_(std::move(graph)), threads_(threads), listener_(listener) {}

  void check(const std::string& /*output_dir*/) override {
    if (measurer_) return;
    file_ = graph_file(graph_, output_dir_ / "token_representations" / "token_representations.npz");
    measurer_.emplace(file_, threads_);
  }

  void on_start(const RunStarted& event) override { check(event.output_dir); }

  // Where the run goes on on a GPU meanwhile the measures are computed by another thread, one model at a time.
  void on_model(const ModelReached& event) override {
    if (!event.wants_geometry) return;
    finish_pending();
    check_tokens(event.config);
    arrays_ = list_token_arrays(event.config, std::vector{Representation::kAfterBlock});
    if (!vectors_) vectors_.emplace(event.config, threads_);
    vectors_->set_parameters(event.parameters);
    measured_ = {.step = event.step, .arrays = {}, .seconds = 0.0};
    if (event.processors_are_free) {
      job_.start([this] { measure(); });
      return;
    }
    measure();
    listener_.on_geometry(measured_);
  }

  void finish_pending() override {
    if (job_.wait()) listener_.on_geometry(measured_);
  }

 private:
  void measure() {
    const Clock::time_point began = Clock::now();
    const auto measures = measurer_->measure(vectors_->compute(measurer_->tokens(), arrays_));
    for (std::size_t i = 0; i < arrays_.size(); ++i) {
      if (!measures[i]) continue;
      ArrayGeometry& array = measured_.arrays.emplace_back();
      array.array = arrays_[i].name;
      for (const NamedMeasure& measure : named_measures(*measures[i])) {
        if (measure.value) array.measures.emplace_back(measure.name, *measure.value);
      }
    }
    measured_.seconds = seconds_since(began);
  }

  void check_tokens(const LlamaConfig& config) const {
    const std::int32_t largest = *std::ranges::max_element(measurer_->tokens());
    if (largest < config.vocab_size) return;
    throw Error(fmt::format("Node {} of the graph is no token of the model, whose vocabulary has {}", largest,
                            config.vocab_size),
                {.file = file_.string(),
                 .place = {},
                 .advice = "GRAPH_DIR (--graph_dir) names the graph that the walks are on; GEOMETRY_STEPS=0 measures "
                           "nothing."});
  }

  fs::path output_dir_;
  std::optional<fs::path> graph_;
  int threads_;
  RunListener& listener_;
  fs::path file_;
  std::optional<GraphMeasurer> measurer_;  // from check() on
  std::optional<TokenVectors> vectors_;    // from the first model on
  // Of the model that is measured; the job's while it is pending.
  std::vector<TokenArray> arrays_;
  GeometryMeasured measured_;
  BackgroundJob job_;  // last, so that it ends before what it uses
};

}  // namespace

std::unique_ptr<RunListener> make_geometry_along_run(fs::path output_dir, std::optional<fs::path> graph, int threads,
                                                     RunListener& listener) {
  return std::make_unique<GeometryAlongRun>(std::move(output_dir), std::move(graph), threads, listener);
}

}  // namespace strider
