#include "model/folder.h"
#include "snapshots/along_run.h"
#include "snapshots/step_folder.h"

namespace strider {
namespace {

class RepresentationsAlongRun : public RunListener {
 public:
  RepresentationsAlongRun(std::filesystem::path output_dir, std::vector<std::string> types, int threads)
      : folder_(std::move(output_dir) / kStepsFolder), types_(std::move(types)), threads_(threads) {}

  void check(const std::string& /*output_dir*/) override { static_cast<void>(parse_representations(types_)); }

  void on_start(const RunStarted& event) override {
    if (event.first_step == 0) {
      remove_steps(folder_);
      return;
    }
    if (read_step_index(folder_)) steps().remove_after(event.first_step);
  }

  void on_model(const ModelReached& event) override {
    if (!event.wants_representations) return;
    if (token_ids_.empty()) {
      const auto ids = read_token_ids(event.companions, event.config.vocab_size, &token_texts_);
      token_ids_.assign(ids.begin(), ids.end());
      never_seen_ = event.companions.never_seen.value_or(std::vector<IdRange>());
    }
    steps().add({.step = event.step,
                 .config = event.config,
                 .token_ids = token_ids_,
                 .token_texts = token_texts_,
                 .never_seen = never_seen_,
                 .parameters = event.parameters});
  }

 private:
  StepFolder& steps() {
    if (!steps_) steps_.emplace(folder_, types_, threads_);
    return *steps_;
  }

  std::filesystem::path folder_;
  std::vector<std::string> types_;
  int threads_;
  std::optional<StepFolder> steps_;  // from the first step on that is written or removed
  std::vector<std::int32_t> token_ids_;
  std::vector<std::string> token_texts_;
  std::vector<IdRange> never_seen_;
};

}  // namespace

std::unique_ptr<RunListener> make_representations_along_run(std::filesystem::path output_dir,
                                                            std::vector<std::string> types, int threads) {
  return std::make_unique<RepresentationsAlongRun>(std::move(output_dir), std::move(types), threads);
}

}  // namespace strider
