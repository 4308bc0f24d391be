#include "report/page/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"
#include "base/exists.h"
#include "base/shell_word.h"
#include "base/version.h"
#include "geometry/representations.h"
#include "io/atomic_file.h"
#include "report/page/beliefs_json.h"
#include "report/page/missing.h"
#include "report/page/page_files.h"
#include "report/page/run_facts.h"
#include "report/page/run_log.h"
#include "report/page/same_weights.h"
#include "report/page/surface.h"
#include "snapshots/step_folder.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::size_t kMostPoints = 1000;         // of a curve: more than a screen is wide
constexpr std::size_t kSurfaceBytes = 2'400'000;  // of all runs' points: keeps the page under 5 MB
constexpr const char* kPage = "report.html";

bool is_run(const fs::path& folder) {
  const auto has = [&](const char* name) { return path_exists(folder / name); };
  return has("metrics.jsonl") || has("trainer_state.json") || has("strider_run.json") || has("token_representations") ||
         has("final_model") || !checkpoints_of(folder).empty();
}

void check_run(const fs::path& run) {
  if (!is_folder(run)) {
    throw Error(path_exists(run) ? "This is no folder of a run" : "There is no such folder",
                {.file = run.string(), .place = {}, .advice = "Name the folder of a run, its OUTPUT_DIR."});
  }
  if (is_run(run)) return;
  std::vector<std::string> inside;
  std::error_code status;
  for (const fs::directory_entry& entry : fs::directory_iterator(run, status)) {
    if (is_folder(entry.path()) && is_run(entry.path())) inside.push_back(shell_word(entry.path().string()));
  }
  std::ranges::sort(inside);
  throw Error("There is nothing of a run in this folder",
              {.file = run.string(),
               .place = {},
               .advice = inside.empty() ? std::string("Name the folder of a run, its OUTPUT_DIR.")
                                        : fmt::format("It has runs in it: {}.", fmt::join(inside, " "))});
}

std::string name_of(const fs::path& run) {
  const fs::path normal = fs::absolute(run).lexically_normal();
  return (normal.has_filename() ? normal : normal.parent_path()).filename().string();
}

// A model that knows the graph and not the rule of its walks has the loss ln(neighbours), in the mean over where walks
// come by: as often to a node as it has neighbours.
std::optional<double> loss_of_neighbours(const Graph& graph) {
  double sum = 0, ends = 0;
  for (std::size_t node = 0; node < graph.size(); ++node) {
    const auto degree = static_cast<double>(graph.neighbours_of(node).size());
    if (degree == 0) continue;
    sum += degree * std::log(degree);
    ends += degree;
  }
  return ends > 0 ? std::optional(sum / ends) : std::nullopt;
}

// What the model of a run believes; null where it or its data is not there, which is named already, or cannot be used.
Json run_beliefs(const PageSettings& settings, const RunFacts& facts, const Graph& graph, Missing& missing) {
  if (!facts.model || !facts.dataset) return nullptr;
  try {
    return beliefs_json({.model = *facts.model, .dataset = *facts.dataset, .threads = settings.threads}, graph,
                        missing);
  } catch (const Error& error) {
    missing.add("What the model believes", error);
    return nullptr;
  }
}

// Throws Error where representations are known to be of another model.
void refuse_other_weights(const fs::path& model, const fs::path& representations, Missing& missing) {
  const fs::path arrays = representations_file(representations);
  std::string mismatch;
  try {
    mismatch = weights_mismatch(model, arrays);
  } catch (const Error& error) {
    missing.add("Whether the representations are those of this model", error);
  }
  if (mismatch.empty()) return;
  throw Error("The representations are not those of this model: " + mismatch,
              {.file = {}, .place = {}, .advice = "02b_representation_extraction.sh makes them anew."});
}

Json run_json(const PageSettings& settings, const fs::path& run, Missing& missing) {
  const RunLog log = read_run_log(run, settings.log_folder.value_or(run), missing);
  const RunFacts facts = read_run_facts(run, settings.dataset, log, missing);
  Json json = {{"name", name_of(run)}, {"finished", facts.is_finished}, {"facts", facts_json(facts.groups)}};
  const auto curve = [](const Series& series) { return series_json(thinned(series, kMostPoints)); };
  json["curves"] = {{"loss", curve(log.loss)},
                    {"evaluation", curve(log.evaluation)},
                    {"learning_rate", curve(log.learning_rate)},
                    {"gradient_norm", curve(log.gradient_norm)}};
  Json& lines = json["lines"] = Json::object();
  if (facts.vocab_size && *facts.vocab_size > 0) lines["vocabulary"] = std::log(static_cast<double>(*facts.vocab_size));
  if (facts.best_loss) lines["best"] = *facts.best_loss;
  json["surface"] = nullptr;
  try {
    DrawnSurface surface;
    const fs::path representations = settings.representations.value_or(run);
    if (facts.model) refuse_other_weights(*facts.model, representations, missing);
    const SurfaceSource source{.representations = representations,
                               .graph = settings.graph,
                               .steps = run / kStepsFolder,
                               .geometry = log.geometry,
                               .most_bytes = kSurfaceBytes / settings.runs.size(),
                               .threads = settings.threads};
    json["surface"] = surface_json(source, surface, missing);
    if (const auto loss = loss_of_neighbours(surface.graph)) lines["neighbours"] = *loss;
    json["surface"]["beliefs"] = run_beliefs(settings, facts, surface.graph, missing);
  } catch (const Error& error) {
    missing.add("The surface", error);
  }
  json["missing"] = missing.texts();
  return json;
}

// JSON inside a script element, which ends at the first "</script", wherever it stands.
std::string inside_script(std::string_view json) {
  std::string safe;
  safe.reserve(json.size());
  for (const char letter : json) {
    if (letter == '<') {
      safe += "\\u003c";
    } else {
      safe += letter;
    }
  }
  return safe;
}

std::string escaped(std::string_view text) {
  std::string safe;
  for (const char letter : text) {
    if (letter == '&') {
      safe += "&amp;";
    } else if (letter == '<') {
      safe += "&lt;";
    } else {
      safe += letter;
    }
  }
  return safe;
}

void replace(std::string& page, std::string_view mark, std::string_view text) {
  const std::size_t at = page.find(mark);
  if (at == std::string::npos) throw std::logic_error(fmt::format("page.html has no {}", mark));
  page.replace(at, mark.size(), text);
}

std::string assemble(const Json& data) {
  std::string scripts, licences;
  for (const std::string_view script : page_scripts()) scripts += fmt::format("<script>\n{}\n</script>\n", script);
  for (const std::string_view licence : page_licences()) licences += escaped(licence) + "\n";
  std::string page(page_html());
  // From the end to the front, so that no mark is looked for in what was put in.
  replace(page, "<!-- scripts -->", scripts);
  // A folder's name need not be UTF-8.
  const std::string json = inside_script(data.dump(-1, ' ', false, Json::error_handler_t::replace));
  replace(page, "<!-- data -->", fmt::format("<script type=\"application/json\" id=\"data\">{}</script>", json));
  replace(page, "<!-- licences -->", licences);
  replace(page, "/* style */", page_css());
  return page;
}

}  // namespace

fs::path page_file(const PageSettings& settings) {
  if (settings.output) return *settings.output;
  return settings.runs.size() == 1 ? settings.runs.front() / kPage : fs::path(kPage);
}

WrittenPage write_page(const PageSettings& settings) {
  if (!has_page_libraries()) {
    throw Error(
        "This program was built without the libraries that draw the report",
        {.file = {},
         .place = {},
         .advice = "Install the Debian packages libjs-three and libjs-d3 and build again: make build does both."});
  }
  WrittenPage page{.file = page_file(settings), .bytes = 0, .missing = {}, .notices = {}};
  if (is_folder(page.file)) {
    throw Error("The report cannot be written: this is a folder",
                {.file = page.file.string(), .place = {}, .advice = "Name a file with --output."});
  }
  for (const fs::path& run : settings.runs) check_run(run);
  Json data = {{"version", 1}, {"strider", program_version()}, {"runs", Json::array()}};
  for (const fs::path& run : settings.runs) {
    Missing missing;
    data["runs"].push_back(run_json(settings, run, missing));
    for (const std::string& text : missing.texts()) {
      page.missing.push_back(settings.runs.size() == 1 ? text : fmt::format("{}: {}", name_of(run), text));
    }
  }
  const std::string html = assemble(data);
  page.bytes = html.size();
  page.notices = write_file_atomically(page.file, html);
  return page;
}

}  // namespace strider
