#include "extract/contexts.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/error.h"
#include "base/random/python_random.h"
#include "io/checksum.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

// Places of a batch: enough walks for many threads, and with all arrays of a small model some tens of megabytes.
constexpr std::int64_t kPlacesOfABatch = 512;

// Calls visit(walk, ids) for every walk of the split, in order.
template <typename Visit>
void for_walks(const WalkSplit& split, const Visit& visit) {
  std::vector<std::int32_t> ids;
  for (std::int64_t walk = 0; walk < split.size(); ++walk) {
    ids.resize(static_cast<std::size_t>(split.length(walk)));
    split.read(walk, ids);
    visit(walk, ids);
    if ((walk + 1) % kWalksBetweenReleases == 0) split.release_pages();
  }
  split.release_pages();
}

class Drawing {
 public:
  Drawing(const fs::path& dataset_dir, WalkSplit split, std::span<const std::int32_t> token_ids,
          std::int64_t vocab_size)
      : dataset_dir_(dataset_dir),
        split_(std::move(split)),
        token_ids_(token_ids),
        places_of_(static_cast<std::size_t>(vocab_size)) {}

  /// Counts the places of every token. Returns what tells the split from others.
  std::string count() {
    std::uint32_t sum = 0;
    std::int64_t tokens = 0;
    for_walks(split_, [&](std::int64_t walk, const std::vector<std::int32_t>& ids) {
      for (const std::int32_t id : ids) {
        if (id >= static_cast<std::int32_t>(places_of_.size())) refuse(walk, id);
        ++places_of_[static_cast<std::size_t>(id)];
      }
      const auto length = static_cast<std::int64_t>(ids.size());
      sum = crc32_of(std::as_bytes(std::span(&length, 1)), sum);
      sum = crc32_of(std::as_bytes(std::span(ids)), sum);
      tokens += length;
    });
    return fmt::format("{} walks, {} tokens, crc32 {:08x}", split_.size(), tokens, sum);
  }

  /// Draws numbers of places: `position` counts a token's places, and `walk` is not known yet.
  void draw(Contexts& contexts, std::uint64_t seed) const {
    const std::int64_t n = contexts.per_token;
    PythonGenerator generator(seed);
    contexts.draws.reserve(token_ids_.size() * static_cast<std::size_t>(n));
    for (std::size_t row = 0; row < token_ids_.size(); ++row) {
      const std::int64_t there = places_of_[static_cast<std::size_t>(token_ids_[row])];
      if (there == 0) {
        contexts.draws.push_back({.row = static_cast<std::int32_t>(row)});
        contexts.alone += 1;
        continue;
      }
      contexts.repeating += there < n;
      const std::vector<std::int64_t> drawn = there < n ? generator.choices(there, n) : generator.sample(there, n);
      for (std::size_t i = 0; i < drawn.size(); ++i) {
        contexts.draws.push_back(
            {.position = drawn[i], .row = static_cast<std::int32_t>(row), .draw = static_cast<std::int32_t>(i)});
      }
    }
  }

  /// Turns them into places: a token's n-th place is where the walks have it for the n-th time.
  void find(Contexts& contexts) const {
    std::vector<ContextDraw>& draws = contexts.draws;
    std::ranges::sort(draws, [](const ContextDraw& a, const ContextDraw& b) {
      return std::tie(a.row, a.position, a.draw) < std::tie(b.row, b.position, b.draw);
    });
    struct Cursor {  // of a token
      std::size_t next = 0, end = 0;
      std::int64_t seen = 0;
    };
    std::vector<Cursor> cursors(places_of_.size());
    for (std::size_t i = 0; i < draws.size(); ++i) {
      Cursor& cursor = cursors[static_cast<std::size_t>(token_ids_[static_cast<std::size_t>(draws[i].row)])];
      if (cursor.end == 0) cursor.next = i;
      cursor.end = i + 1;
    }
    for_walks(split_, [&](std::int64_t walk, const std::vector<std::int32_t>& ids) {
      for (std::size_t position = 0; position < ids.size(); ++position) {
        Cursor& cursor = cursors[static_cast<std::size_t>(ids[position])];
        for (; cursor.next < cursor.end && draws[cursor.next].position == cursor.seen; ++cursor.next) {
          draws[cursor.next].walk = walk;
          draws[cursor.next].position = static_cast<std::int64_t>(position);
        }
        ++cursor.seen;
      }
    });
    for (ContextDraw& draw : draws) {
      const auto row = static_cast<std::size_t>(draw.row);
      if (places_of_[static_cast<std::size_t>(token_ids_[row])] == 0) draw.walk = split_.size() + draw.row;
    }
    std::ranges::sort(draws, [](const ContextDraw& a, const ContextDraw& b) {
      return std::tie(a.walk, a.position, a.draw) < std::tie(b.walk, b.position, b.draw);
    });
  }

 private:
  [[noreturn]] void refuse(std::int64_t walk, std::int32_t id) const {
    throw Error(fmt::format("the token {} is not in the model's vocabulary of {}", id, places_of_.size()),
                {.file = dataset_dir_.string(),
                 .place = fmt::format("train, walk {}", walk),
                 .advice = "Name the dataset that the model was trained on with DATASET_DIR (--dataset_dir)."});
  }

  const fs::path& dataset_dir_;
  WalkSplit split_;
  std::span<const std::int32_t> token_ids_;
  std::vector<std::int64_t> places_of_;  // of each id: how many
};

// The first draw from `first` on that is of another walk.
std::size_t walk_end(const std::vector<ContextDraw>& draws, std::size_t first) {
  std::size_t last = first;
  while (last < draws.size() && draws[last].walk == draws[first].walk) ++last;
  return last;
}

// Whole walks, as many as have no more places than a batch takes. Depends on the draws alone.
void plan_batches(Contexts& contexts) {
  const std::vector<ContextDraw>& draws = contexts.draws;
  ContextBatch batch;
  std::int64_t walks = 0;
  std::int64_t places = 0;
  std::int64_t positions = 0;
  const auto close = [&] {
    contexts.batches.push_back(batch);
    contexts.most_walks = std::max(contexts.most_walks, walks);
    contexts.most_places = std::max(contexts.most_places, places);
    contexts.most_positions = std::max(contexts.most_positions, positions);
    batch.first = batch.last;
    walks = places = positions = 0;
  };
  while (batch.last < draws.size()) {
    const std::size_t end = walk_end(draws, batch.last);
    std::int64_t its_places = 0;
    for (std::size_t i = batch.last; i < end; ++i) its_places += contexts.is_new_place(i);
    if (walks > 0 && places + its_places > kPlacesOfABatch) close();
    const std::int64_t length = draws[end - 1].position + 1;
    contexts.walks += 1;
    contexts.positions += length;
    contexts.longest = std::max(contexts.longest, length);
    walks += 1;
    places += its_places;
    positions += length;
    batch.last = end;
  }
  close();
}

}  // namespace

Contexts draw_contexts(const fs::path& dataset_dir, std::int64_t per_token, std::uint64_t seed,
                       std::span<const std::int32_t> token_ids, std::int64_t vocab_size) {
  WalkDataset dataset = open_dataset(dataset_dir);
  Contexts contexts(per_token, dataset.train);
  contexts.notices = std::move(dataset.notices);
  Drawing drawing(dataset_dir, dataset.train, token_ids, vocab_size);
  contexts.training_walks = drawing.count();
  drawing.draw(contexts, seed);
  drawing.find(contexts);
  plan_batches(contexts);
  return contexts;
}

ContextWalks::ContextWalks(const Contexts& contexts, std::span<const std::int32_t> token_ids)
    : contexts_(contexts), token_ids_(token_ids), ids_(static_cast<std::size_t>(contexts.most_positions)) {
  walks_.reserve(static_cast<std::size_t>(contexts.most_walks));
  places_.reserve(static_cast<std::size_t>(contexts.most_places));
}

std::uint64_t ContextWalks::memory_bytes(const Contexts& contexts) {
  return static_cast<std::uint64_t>(contexts.most_positions) * sizeof(std::int32_t) +
         static_cast<std::uint64_t>(contexts.most_walks) * sizeof(WalkView) +
         static_cast<std::uint64_t>(contexts.most_places) * sizeof(WalkPlace);
}

void ContextWalks::load(const ContextBatch& batch) {
  walks_.clear();
  places_.clear();
  std::size_t used = 0;
  for (std::size_t first = batch.first; first < batch.last;) {
    const std::size_t last = walk_end(contexts_.draws, first);
    const ContextDraw& end = contexts_.draws[last - 1];
    const std::span<std::int32_t> ids = std::span(ids_).subspan(used, static_cast<std::size_t>(end.position + 1));
    if (contexts_.is_alone(end)) {
      ids.front() = token_ids_[static_cast<std::size_t>(end.row)];
    } else {
      contexts_.split.read(end.walk, ids);
    }
    for (std::size_t i = first; i < last; ++i) {
      if (!contexts_.is_new_place(i)) continue;
      places_.push_back({static_cast<std::int64_t>(walks_.size()), contexts_.draws[i].position});
    }
    walks_.emplace_back(ids);
    used += ids.size();
    first = last;
  }
  contexts_.split.release_pages();
}

}  // namespace strider
