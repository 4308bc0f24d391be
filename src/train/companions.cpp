#include "train/companions.h"

#include <fmt/format.h>

#include <span>

#include "data/token_counts.h"

namespace strider {
namespace {

std::vector<IdRange> ids_without_a_place(const WalkSplit& split, std::int64_t max_length, std::int64_t vocab_size) {
  TokenCounts counts;
  std::vector<std::int32_t> ids(static_cast<std::size_t>(max_length));
  for (std::int64_t walk = 0; walk < split.size(); ++walk) {
    const std::size_t count = split.read(walk, ids);
    for (const std::int32_t id : std::span(ids.data(), count)) counts.add(id);
    if (walk % kWalksBetweenReleases == 0) split.release_pages();
  }
  split.release_pages();
  return counts.never(vocab_size);
}

}  // namespace

RunCompanions companions_of_run(const TrainingSettings& settings, const WalkDataset& dataset,
                                const LlamaConfig& config) {
  RunCompanions run;
  const std::vector<IdRange> absent = ids_without_a_place(dataset.train, settings.max_length, config.vocab_size);
  run.files.never_seen = absent;
  if (settings.init_from) {
    run.files.never_seen = read_never_seen(*settings.init_from);
    if (run.files.never_seen) run.files.never_seen = intersect(*run.files.never_seen, absent);
  }
  if (run.files.never_seen && !run.files.never_seen->empty()) {
    run.notices.push_back(
        fmt::format("{} of {} token ids have no place in the training walks ({}): nothing trains their vectors. "
                    "02b marks them (never_seen in token_metadata.json).",
                    count_ids(*run.files.never_seen), config.vocab_size, ranges_text(*run.files.never_seen)));
  }
  FoundTokenizer found = find_tokenizer(settings.dataset_dir, config.vocab_size, absent);
  if (!found.why_not.empty()) {
    run.notices.push_back(
        fmt::format("The dataset's tokenizer is not kept: {}. The ids themselves are the tokens.", found.why_not));
  } else if (!found.files.empty()) {
    run.notices.push_back("The dataset's tokenizer goes into every checkpoint and final_model.");
  }
  run.files.tokenizer = std::move(found.files);
  return run;
}

}  // namespace strider
