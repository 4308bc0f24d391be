#include "graph/walks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <string>

#include "base/error.h"
#include "io/atomic_file.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kProgressWalks = 1024;

// The labels as text with a space behind, in slots of one size: a label is copied with one fixed move.
class LabelTexts {
 public:
  explicit LabelTexts(const Graph& graph) : texts_(graph.size()), lengths_(graph.size()) {
    for (std::size_t i = 0; i < graph.size(); ++i) {
      const auto end = fmt::format_to(texts_[i].begin(), "{} ", graph.labels[i]);
      lengths_[i] = static_cast<std::uint8_t>(end - texts_[i].begin());
    }
  }

  /// Bytes that append needs, one slot more than what it writes.
  static std::size_t room(std::size_t nodes) { return (nodes + 1) * kSlot; }

  /// Writes the labels with spaces between; returns the end.
  char* append(std::span<const std::int32_t> walk, char* out) const {
    for (const std::int32_t node : walk) {
      std::memcpy(out, texts_[node].data(), kSlot);
      out += lengths_[node];
    }
    return out - 1;
  }

 private:
  static constexpr std::size_t kSlot = 16;
  std::vector<std::array<char, kSlot>> texts_;
  std::vector<std::uint8_t> lengths_;
};

// As pandas prints a float64: the shortest digits that give it back, with a point or an exponent.
std::string number_text(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

void write_counts(AtomicFile& file, const Graph& graph, const Walker& walker) {
  file.write("node_id,visit_count,visit_fraction\n");
  const auto all = static_cast<double>(walker.steps());
  for (std::size_t i = 0; i < graph.size(); ++i) {
    const double visits = walker.visits()[i];
    file.write(
        fmt::format("{},{},{}\n", graph.labels[i], static_cast<std::int64_t>(visits), number_text(visits / all)));
  }
}

void refuse_one_file_twice(const WalkFiles& files, const fs::path& rule) {
  const auto same = [](const fs::path& a, const fs::path& b) {
    return fs::absolute(a).lexically_normal() == fs::absolute(b).lexically_normal();
  };
  if (!same(files.walks, files.counts) && !same(files.walks, rule) && !same(files.counts, rule)) return;
  throw Error("two of the output files have the same name",
              {.file = files.walks.string(), .place = {}, .advice = "Set OUT and COUNTS_OUT to two different files."});
}

void remove_file(const fs::path& file) {
  std::error_code status;
  fs::remove(file, status);
  if (!status) return;
  throw system_error("cannot remove what is to be replaced", status.value(),
                     {.file = file.string(), .place = {}, .advice = "Choose a folder that you may write to."});
}

}  // namespace

WalkSummary write_walks(const Graph& graph, const std::string& graph_name, const std::vector<std::string>& names,
                        const WalkSettings& settings, const WalkFiles& files,
                        const std::function<void(std::int64_t)>& progress) {
  const fs::path rule = walk_rule_file(files.walks);
  refuse_one_file_twice(files, rule);
  Walker walker(graph, settings);
  AtomicFile walks(files.walks);
  AtomicFile counts(files.counts);
  const LabelTexts labels(graph);
  WalkSummary summary;
  const auto write = [&](std::string_view bytes) {
    walks.write(bytes);
    summary.walks_bytes += bytes.size();
  };
  write("walk_id,length,sequence_labels\r\n");
  std::vector<char> line;
  while (summary.walks < settings.max_seqs && !summary.visited_enough) {
    const std::span<const std::int32_t> walk = walker.next();
    line.resize(64 + LabelTexts::room(walk.size()));
    char* end = fmt::format_to(line.data(), "{},{},", summary.walks, walk.size());
    end = labels.append(walk, end);
    *end++ = '\r';
    *end++ = '\n';
    write({line.data(), static_cast<std::size_t>(end - line.data())});
    summary.visited_enough = walker.visited_enough();
    if (++summary.walks % kProgressWalks == 0) progress(summary.walks);
  }
  write_counts(counts, graph, walker);
  // The rule comes first: walks without one are of unknown origin, and the same command would not replace them. So what
  // is replaced goes before it, and a rule is never beside walks that are not its own.
  remove_file(rule);
  remove_file(files.walks);
  write_walk_rule(rule, {graph_name, settings, summary.walks, summary.walks_bytes}, graph, names);
  summary.notices.add(walks.commit());
  summary.notices.add(counts.commit());

  const auto [least, most] = std::minmax_element(walker.visits().begin(), walker.visits().end());
  summary.least_visits = static_cast<std::int64_t>(*least);
  summary.most_visits = static_cast<std::int64_t>(*most);
  summary.steps = walker.steps();
  summary.transitions = walker.steps() - summary.walks;
  summary.dead_end_jumps = walker.dead_end_jumps();
  summary.restart_jumps = walker.restart_jumps();
  summary.mean_visits = static_cast<double>(summary.steps) / static_cast<double>(graph.size());
  return summary;
}

}  // namespace strider
