// strider dataset: walks in a CSV file become a dataset folder with a train and a validation split.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "cli/setting_options.h"
#include "data/dataset_writer.h"
#include "data/other_kinds.h"
#include "data/token_names.h"
#include "data/train_split.h"
#include "data/walk_import.h"
#include "data/walks_csv.h"
#include "graph/best_loss.h"
#include "graph/walk_rule.h"
#include "report/screen.h"

namespace strider::cli {
namespace {

struct DatasetSettings {
  std::filesystem::path input_csv;
  std::filesystem::path from;  // walks in another kind of file
  std::string column;          // of those
  std::filesystem::path output_dir = "dataset";
  double train_split = 0.95;
  std::filesystem::path rule;  // empty: the one beside the walks, where there is one
};

void print_walks(std::FILE* out, const WalksCsv& walks) {
  say(out, "Loaded {} walks\n\n", walks.size());
  say(out, "Vocabulary statistics:\n");
  say(out, "  Min ID: {}\n", walks.min_id());
  say(out, "  Max ID: {}\n", walks.max_id());
  say(out, "  Vocab size: {}\n", walks.max_id() + 1);
  const TokenCounts::Summary seen = walks.counts().summary();
  say(out, "  Occurring IDs: {}, each {} to {} times (median {})\n", seen.ids, seen.least, seen.most, seen.median);
  const std::vector<IdRange> never = walks.counts().never(walks.max_id() + 1);
  if (!never.empty()) say(out, "  Never occurring: {} ({})\n", count_ids(never), ranges_text(never));
  say(out, "  Total tokens: {}\n\n", walks.tokens());
}

// What may cost a user the use of a model: ids that nothing trains, walks that train nothing.
void print_warnings(std::FILE* out, const WalksCsv& walks, const std::filesystem::path& file) {
  constexpr double kFewShare = 0.01;
  const std::int64_t never = count_ids(walks.counts().never(walks.max_id() + 1));
  const double share = static_cast<double>(never) / static_cast<double>(walks.max_id() + 1);
  if (share > kFewShare) {
    say(out,
        "Warning: {} of {} ids ({:.1f}%) never occur. The vocabulary goes up to the largest id, and the model has a\n"
        "  vector for each, which no walk trains. 02b marks them (never_seen in token_metadata.json).\n",
        never, walks.max_id() + 1, 100 * share);
    if (!std::filesystem::exists(walk_rule_file(file))) {
      say(out, "  To number the ids from 0 without gaps, and use OUT.csv as INPUT_CSV:\n  {}\n",
          numbering_command(file));
    }
    say(out, "\n");
  }
  if (walks.single_token_walks() > 0) {
    say(out, "Warning: {} of {} walks have a single token, in which nothing is predicted.\n\n",
        walks.single_token_walks(), walks.size());
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

void print_split(std::FILE* out, const TrainSplit& split) {
  say(out, "Dataset {}:\n", split.validation.empty() ? "created" : "split");
  say(out, "  Train: {} samples\n", split.train.size());
  if (!split.validation.empty()) say(out, "  Validation: {} samples\n", split.validation.size());
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
WalkKnowledge know_walks(std::FILE* out, const DatasetSettings& settings, const WalksCsv& walks,
                         const TrainSplit& split) {
  const std::optional<RuledGraph> ruled = !settings.rule.empty()  ? std::optional(read_walk_rule(settings.rule))
                                          : settings.from.empty() ? find_walk_rule(settings.input_csv)
                                                                  : std::nullopt;
  if (!ruled) {
    const std::string why = settings.from.empty() ? fmt::format("there is no {} beside the walks",
                                                                walk_rule_file(settings.input_csv).filename().string())
                                                  : "--rule names how walks of other programs were made";
    say(out, "\nBest possible loss: not known ({})\n", why);
    return {};
  }
  WalkKnowledge knowledge{.best_loss = best_loss_of(*ruled, walks, split.validation),
                          .walk_rule = walk_rule_json(ruled->rule)};
  if (!ruled->names.empty()) {
    // Names of nodes behind the last one that occurs are those of no token.
    std::vector<std::string> names = ruled->names;
    names.resize(std::min(names.size(), static_cast<std::size_t>(walks.max_id()) + 1));
    knowledge.vocabulary = vocabulary_json(names);
    say(out, "\nTokens: names of nodes, from \"{}\" to \"{}\"; vocab.json says which id each has\n", names.front(),
        names.back());
  }
  if (knowledge.best_loss) {
    say(out, "\nBest possible loss on the validation walks: {:.4f} nats per token, by the rule that made them\n",
        *knowledge.best_loss);
  } else {
    say(out, "\nBest possible loss: not known ({})\n",
        split.validation.empty() ? "there is no validation split" : "the rule does not decide it alone");
  }
  return knowledge;
}

void print_sample(std::FILE* out, const WalksCsv& walks, std::int64_t row) {
  constexpr std::size_t kShown = 20;
  std::vector<std::int32_t> ids(static_cast<std::size_t>(walks.length(row)));
  walks.read(row, ids);
  ids.resize(std::min(ids.size(), kShown));
  say(out, "\n{}\nSample from dataset:\n{}\n", kRule, kRule);
  say(out, "Walk ID: {}\n", walks.walk_id(row));
  say(out, "Length: {}\n", walks.length(row));
  say(out, "Input IDs (first {}): [{}]\n", kShown, fmt::join(ids, ", "));
}

nlohmann::ordered_json dataset_json(const DatasetSettings& settings, const WalksCsv& walks, const TrainSplit& split,
                                    const WalkKnowledge& knowledge, const Notices& notices) {
  const TokenCounts::Summary seen = walks.counts().summary();
  return {{"input", (settings.from.empty() ? settings.input_csv : settings.from).string()},
          {"dataset", settings.output_dir.string()},
          {"walks", walks.size()},
          {"tokens", walks.tokens()},
          {"vocab_size", walks.max_id() + 1},
          {"min_id", walks.min_id()},
          {"max_id", walks.max_id()},
          {"ids_seen", seen.ids},
          {"ids_never_seen", count_ids(walks.counts().never(walks.max_id() + 1))},
          {"times_seen", {{"min", seen.least}, {"median", seen.median}, {"max", seen.most}}},
          {"walks_of_one_token", walks.single_token_walks()},
          {"train_walks", split.train.size()},
          {"validation_walks", split.validation.size()},
          {"best_possible_loss", knowledge.best_loss ? nlohmann::ordered_json(*knowledge.best_loss) : nullptr},
          {"notices", notices.texts()}};
}

// The walks of --from as a CSV file, which lasts as long as this does.
class ConvertedWalks {
 public:
  ConvertedWalks(const DatasetSettings& settings)  // NOLINT(google-explicit-constructor): has one use
      : csv_(settings.output_dir / ".." / fmt::format(".walks-{}.csv", getpid())),
        walks_(import_walks(settings.from, settings.column, csv_ = plain(csv_))) {}
  ~ConvertedWalks() {
    std::error_code status;  // what cannot be removed is a hidden file beside the dataset
    std::filesystem::remove(csv_, status);
  }
  ConvertedWalks(const ConvertedWalks&) = delete;
  ConvertedWalks& operator=(const ConvertedWalks&) = delete;

  const std::filesystem::path& csv() const { return csv_; }
  const ImportedWalks& walks() const { return walks_; }

 private:
  static std::filesystem::path plain(const std::filesystem::path& file) {
    return std::filesystem::absolute(file).lexically_normal();
  }

  std::filesystem::path csv_;
  ImportedWalks walks_;
};

void print_conversion(std::FILE* out, const ImportedWalks& walks) {
  say(out, "  Kind: {}{}\n", name_of(walks.kind), walks.column.empty() ? "" : ", walks in " + walks.column);
  if (!walks.names.empty()) {
    say(out, "  Tokens: {} names, from \"{}\" to \"{}\"; vocab.json says which id each has\n", walks.names.size(),
        walks.names.front(), walks.names.back());
  }
  print_notices(out, walks.notices);
}

void check_one_input(const DatasetSettings& settings) {
  if (settings.from.empty() != settings.input_csv.empty()) return;
  if (settings.from.empty()) throw CLI::RequiredError("--input_csv or --from");
  throw Error("--input_csv (INPUT_CSV) and --from (FROM) both name walks",
              {.file = {}, .place = {}, .advice = "Give one of them."});
}

// `out` is null where JSON is printed.
void run_dataset(DatasetSettings settings, bool as_json) {
  check_one_input(settings);
  std::FILE* const out = as_json ? nullptr : stdout;
  say(out, "{}\nGraph Walk Dataset Preparation\n{}\n", kRule, kRule);
  check_dataset_folder_replaceable(settings.output_dir);
  say(out, "Loading data from {}\n", (settings.from.empty() ? settings.input_csv : settings.from).string());
  show_now(out);
  std::optional<ConvertedWalks> converted;
  if (!settings.from.empty()) {
    converted.emplace(settings);
    settings.input_csv = converted->csv();
    print_conversion(out, converted->walks());
  }
  const WalksCsv walks(settings.input_csv);
  print_walks(out, walks);
  print_warnings(out, walks, settings.input_csv);
  const TrainSplit split = train_test_split(walks.size(), settings.train_split);
  check_has_predictions(walks, split, settings.input_csv);
  print_split(out, split);
  WalkKnowledge knowledge = know_walks(out, settings, walks, split);
  if (converted && !converted->walks().names.empty()) {
    knowledge.vocabulary = vocabulary_json(converted->walks().names);
  }

  say(out, "\nSaving dataset to {}\n", settings.output_dir.string());
  std::vector<SplitToWrite> splits{{"train", split.train}};
  if (!split.validation.empty()) splits.push_back({"validation", split.validation});
  Notices notices = write_dataset(settings.output_dir, walks, splits, knowledge);
  if (as_json) {
    if (converted) notices.add(converted->walks().notices);
    say("{}\n", dataset_json(settings, walks, split, knowledge, notices).dump(2));
    return;
  }
  say(out, "Dataset saved successfully!\n\n");
  say(out, "Vocabulary info saved to {}\n", (settings.output_dir / "vocab_info.json").string());
  print_notices(out, notices);
  print_sample(out, walks, split.train.front());
  say(out, "\n{}\nDataset preparation complete!\n{}\n", kRule, kRule);
}

std::vector<Setting<DatasetSettings>> dataset_table() {
  using namespace settings;
  using Row = Setting<DatasetSettings>;
  using S = DatasetSettings;
  return {
      Row("input_csv", "INPUT_CSV", path(&S::input_csv), any_value(),
          "Walks: columns walk_id, length, sequence_labels (ids with spaces between)"),
      Row("from", "FROM", path(&S::from), any_value(),
          "Walks in another kind of file instead: plain text with a walk per line, CSV, JSON lines or Parquet, also "
          "compressed with gzip or zstd; nodes may have names"),
      Row("column", "COLUMN", text(&S::column), any_value(), "The column or field of FROM that has the walks"),
      Row("output_dir", "DATASET_DIR", folder(&S::output_dir), any_value(),
          "Folder of the dataset; an old one is replaced"),
      Row("train_split", "TRAIN_SPLIT", number(&S::train_split), any_value(),
          "Share of the walks that train; 1: no validation split"),
  };
}

}  // namespace

void add_dataset_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("dataset", "Make a training dataset from walks");
  auto settings = std::make_shared<DatasetSettings>();
  add_settings(*command, dataset_table(), *settings);
  auto as_json = std::make_shared<bool>(false);
  command
      ->add_option("--rule", settings->rule,
                   "How the walks were made, for the best loss a model can reach (default: walk_rule_NAME.json\n"
                   "beside them)")
      ->type_name(kFileType);
  command->footer(
      "The folder opens with datasets.load_from_disk. Which walk goes where is what its\n"
      "train_test_split(seed=42) decides.\n\n"
      "With --from, tokens that are not the whole numbers 0 to n-1 are numbered: whole numbers by size, names in the\n"
      "order of their bytes. vocab.json in the folder says which id each has, and models and representations keep "
      "it.\n\n"
      "Example: strider dataset --input_csv results/torus_30x40/sequences/walks_torus_30x40.csv \\\n"
      "           --output_dir results/torus_30x40/dataset\n"
      "         strider dataset --from corpus.txt.gz --output_dir results/corpus/dataset");
  command->add_flag("--json", *as_json, "Print what was made as JSON, and nothing else");
  command->callback([settings, as_json] { run_dataset(*settings, *as_json); });
}

}  // namespace strider::cli
