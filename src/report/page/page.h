#pragma once
// strider report: one self-contained HTML file that shows and documents runs, without a network.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/notices.h"

namespace strider {

struct PageSettings {
  std::vector<std::filesystem::path> runs;               // OUTPUT_DIRs
  std::optional<std::filesystem::path> output;           // nothing: see page_file
  std::optional<std::filesystem::path> representations;  // nothing: token_representations in the run
  std::optional<std::filesystem::path> graph;            // nothing: the folder graph/ of the run's data
  std::optional<std::filesystem::path> dataset;          // nothing: where the run says, else beside it
  std::optional<std::filesystem::path> log_folder;       // of metrics.jsonl; nothing: the run
  int threads = 1;
};

struct WrittenPage {
  std::filesystem::path file;
  std::uint64_t bytes = 0;
  std::vector<std::string> missing;  // what is not shown, and why; of several runs with their names
  Notices notices;                   // what the filesystem could not do for it
};

/// Of one run report.html in its folder, of several report.html in the current folder.
std::filesystem::path page_file(const PageSettings& settings);

/// Reads the runs and writes the page, the same bytes for the same files; nothing else is changed. What a run lacks or
/// has damaged is left out and named. Throws Error: no such folder, one that has nothing of a run in it, a program that
/// was built without the page's libraries, or an output that cannot be written.
WrittenPage write_page(const PageSettings& settings);

}  // namespace strider
