#include "data/walk_import.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "data/token_names.h"
#include "io/atomic_file.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

bool has_space(const std::string& name) {
  return name.find_first_of(" \t\r\n\v\f") != std::string::npos;
}

}  // namespace

ImportedWalks import_walks(const fs::path& from, const std::string& column, const fs::path& csv) {
  const WalkSource source(from, column);
  ImportedWalks imported{.kind = source.kind(), .column = source.column()};
  TokenIds ids;
  source.read([&](std::span<const std::string_view> tokens, const std::string& place) {
    ++imported.walks;
    for (const std::string_view token : tokens) {
      if (ids.find(token) != ids.end()) continue;
      if (ids.size() == kMostTokenNames) {
        throw Error("there are more names than ids", {.file = from.string(), .place = place, .advice = {}});
      }
      ids.emplace(token, 0);
    }
  });
  if (imported.walks == 0) {
    throw Error("there is no walk in it",
                {.file = from.string(), .place = {}, .advice = "Name a file that has walks with --from."});
  }
  imported.names = number_names(ids, from);
  AtomicFile out(csv);
  out.write("walk_id,length,sequence_labels\n");
  std::int64_t walk = 0;
  std::string line;
  source.read([&](std::span<const std::string_view> tokens, const std::string& place) {
    line = fmt::format("{},{},", walk++, tokens.size());
    for (const std::string_view token : tokens) {
      const auto found = ids.find(token);
      if (found == ids.end()) {
        throw Error("the file was changed while it was read",
                    {.file = from.string(), .place = place, .advice = "Run the command again."});
      }
      fmt::format_to(std::back_inserter(line), "{} ", found->second);
    }
    line.back() = '\n';
    out.write(line);
  });
  imported.notices.add(out.commit());
  if (are_ids(imported.names)) {
    imported.names.clear();
  } else if (const auto spaced = std::ranges::find_if(imported.names, has_space); spaced != imported.names.end()) {
    imported.notices.add(fmt::format(
        "The name \"{}\" has white space in it, where a tokenizer ends a token: texts of walks cannot be read back.",
        *spaced));
  }
  return imported;
}

}  // namespace strider
