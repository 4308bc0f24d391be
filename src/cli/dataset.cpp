// strider dataset: walks in a CSV file become a dataset folder with a train and a validation split.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "cli/setting_options.h"
#include "data/dataset_writer.h"
#include "data/other_kinds.h"
#include "data/train_split.h"
#include "data/walks_csv.h"
#include "graph/best_loss.h"
#include "graph/walk_rule.h"
#include "report/screen.h"

namespace strider::cli {
namespace {

struct DatasetSettings {
  std::filesystem::path input_csv;
  std::filesystem::path output_dir = "dataset";
  double train_split = 0.95;
  std::filesystem::path rule;  // empty: the one beside the walks, where there is one
};

void print_walks(const WalksCsv& walks) {
  say("Loaded {} walks\n\n", walks.size());
  say("Vocabulary statistics:\n");
  say("  Min ID: {}\n", walks.min_id());
  say("  Max ID: {}\n", walks.max_id());
  say("  Vocab size: {}\n", walks.max_id() + 1);
  const TokenCounts::Summary seen = walks.counts().summary();
  say("  Occurring IDs: {}, each {} to {} times (median {})\n", seen.ids, seen.least, seen.most, seen.median);
  const std::vector<IdRange> never = walks.counts().never(walks.max_id() + 1);
  if (!never.empty()) say("  Never occurring: {} ({})\n", count_ids(never), ranges_text(never));
  say("  Total tokens: {}\n\n", walks.tokens());
}

// What may cost a user the use of a model: ids that nothing trains, walks that train nothing.
void print_warnings(const WalksCsv& walks, const std::filesystem::path& file) {
  constexpr double kFewShare = 0.01;
  const std::int64_t never = count_ids(walks.counts().never(walks.max_id() + 1));
  const double share = static_cast<double>(never) / static_cast<double>(walks.max_id() + 1);
  if (share > kFewShare) {
    say("Warning: {} of {} ids ({:.1f}%) never occur. The vocabulary goes up to the largest id, and the model has a\n"
        "  vector for each, which no walk trains. 02b marks them (never_seen in token_metadata.json).\n",
        never, walks.max_id() + 1, 100 * share);
    if (!std::filesystem::exists(walk_rule_file(file))) {
      say("  To number the ids from 0 without gaps, and use OUT.csv as INPUT_CSV:\n  {}\n", numbering_command(file));
    }
    say("\n");
  }
  if (walks.single_token_walks() > 0) {
    say("Warning: {} of {} walks have a single token, in which nothing is predicted.\n\n", walks.single_token_walks(),
        walks.size());
  }
}

void check_has_predictions(const WalksCsv& walks, const TrainSplit& split, const std::filesystem::path& file) {
  const auto has_prediction = [&](std::int64_t row) { return walks.length(row) > 1; };
  if (std::any_of(split.train.begin(), split.train.end(), has_prediction)) return;
  throw Error("no walk to train on has a second token, so that there is nothing to predict",
              {.file = file.string(),
               .place = {},
               .advice = "Make longer walks: MAX_LENGTH is 2 or more in 01b_sequence_generation.sh."});
}

void print_split(const TrainSplit& split) {
  say("Dataset {}:\n", split.validation.empty() ? "created" : "split");
  say("  Train: {} samples\n", split.train.size());
  if (!split.validation.empty()) say("  Validation: {} samples\n", split.validation.size());
}

std::optional<double> best_loss_of(const RuledGraph& ruled, const WalksCsv& walks,
                                   const std::vector<std::int64_t>& rows) {
  BestLoss best(ruled);
  std::vector<std::int32_t> ids;
  for (const std::int64_t row : rows) {
    ids.resize(walks.length(row));
    walks.read(row, ids);
    best.add(ids);
  }
  return best.mean();
}

// Says what it finds, also when that is nothing.
WalkKnowledge know_walks(const DatasetSettings& settings, const WalksCsv& walks, const TrainSplit& split) {
  const std::optional<RuledGraph> ruled =
      settings.rule.empty() ? find_walk_rule(settings.input_csv) : std::optional(read_walk_rule(settings.rule));
  if (!ruled) {
    say("\nBest possible loss: not known (there is no {} beside the walks)\n",
        walk_rule_file(settings.input_csv).filename().string());
    return {};
  }
  WalkKnowledge knowledge{.best_loss = best_loss_of(*ruled, walks, split.validation),
                          .walk_rule = walk_rule_json(ruled->rule)};
  if (knowledge.best_loss) {
    say("\nBest possible loss on the validation walks: {:.4f} nats per token, by the rule that made them\n",
        *knowledge.best_loss);
  } else {
    say("\nBest possible loss: not known ({})\n",
        split.validation.empty() ? "there is no validation split" : "the rule does not decide it alone");
  }
  return knowledge;
}

void print_sample(const WalksCsv& walks, std::int64_t row) {
  constexpr std::size_t kShown = 20;
  std::vector<std::int32_t> ids(static_cast<std::size_t>(walks.length(row)));
  walks.read(row, ids);
  ids.resize(std::min(ids.size(), kShown));
  say("\n{}\nSample from dataset:\n{}\n", kRule, kRule);
  say("Walk ID: {}\n", walks.walk_id(row));
  say("Length: {}\n", walks.length(row));
  say("Input IDs (first {}): [{}]\n", kShown, fmt::join(ids, ", "));
}

void run_dataset(const DatasetSettings& settings) {
  say("{}\nGraph Walk Dataset Preparation\n{}\n", kRule, kRule);
  check_dataset_folder_replaceable(settings.output_dir);
  say("Loading data from {}\n", settings.input_csv.string());
  const WalksCsv walks(settings.input_csv);
  print_walks(walks);
  print_warnings(walks, settings.input_csv);
  const TrainSplit split = train_test_split(walks.size(), settings.train_split);
  check_has_predictions(walks, split, settings.input_csv);
  print_split(split);
  const WalkKnowledge knowledge = know_walks(settings, walks, split);

  say("\nSaving dataset to {}\n", settings.output_dir.string());
  std::vector<SplitToWrite> splits{{"train", split.train}};
  if (!split.validation.empty()) splits.push_back({"validation", split.validation});
  const Notices notices = write_dataset(settings.output_dir, walks, splits, knowledge);
  say("Dataset saved successfully!\n\n");
  say("Vocabulary info saved to {}\n", (settings.output_dir / "vocab_info.json").string());
  print_notices(notices);
  print_sample(walks, split.train.front());
  say("\n{}\nDataset preparation complete!\n{}\n", kRule, kRule);
}

std::vector<Setting<DatasetSettings>> dataset_table() {
  using namespace settings;
  using Row = Setting<DatasetSettings>;
  using S = DatasetSettings;
  return {
      Row("input_csv", "INPUT_CSV", path(&S::input_csv), any_value(),
          "Walks: columns walk_id, length, sequence_labels (ids with spaces between)")
          .required(),
      Row("output_dir", "DATASET_DIR", path(&S::output_dir), any_value(),
          "Folder of the dataset; an old one is replaced"),
      Row("train_split", "TRAIN_SPLIT", number(&S::train_split), any_value(),
          "Share of the walks that train; 1: no validation split"),
  };
}

}  // namespace

void add_dataset_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("dataset", "Make a training dataset from walks in a CSV file");
  auto settings = std::make_shared<DatasetSettings>();
  add_settings(*command, dataset_table(), *settings);
  command->add_option("--rule", settings->rule,
                      "How the walks were made, for the best loss a model can reach (default: walk_rule_NAME.json\n"
                      "beside them)");
  command->footer(
      "The folder opens with datasets.load_from_disk. Which walk goes where is what its\n"
      "train_test_split(seed=42) decides.\n\n"
      "Example: strider dataset --input_csv results/torus_30x40/sequences/walks_torus_30x40.csv \\\n"
      "           --output_dir results/torus_30x40/dataset");
  command->callback([settings] { run_dataset(*settings); });
}

}  // namespace strider::cli
