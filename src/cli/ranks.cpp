#include "cli/ranks.h"

#include "cli/say.h"
#include "engine/ranks/ranks.h"

namespace strider::cli {
namespace {

// The other ranks leave when it goes out of scope, whatever happened.
class ServingRanks {
 public:
  explicit ServingRanks(Communicator& ranks) : ranks_(ranks) {}
  ~ServingRanks() { dismiss_ranks(ranks_); }
  ServingRanks(const ServingRanks&) = delete;
  ServingRanks& operator=(const ServingRanks&) = delete;

 private:
  Communicator& ranks_;
};

}  // namespace

std::vector<Setting<RankOptions>> rank_settings() {
  using namespace settings;
  using Row = Setting<RankOptions>;
  return {
      Row("ranks", "RANKS", choice(&RankOptions::ranks, {{"auto", Ranks::kAuto}, {"alone", Ranks::kAlone}}),
          any_value(),
          "auto: the processes that mpirun or srun has started share the run; alone: each is a run of its own"),
      Row("rank_timeout", "RANK_TIMEOUT", number(&RankOptions::rank_timeout), at_least(1),
          "With mpirun: seconds that ranks wait for one that gives no sign, before the run ends on all"),
  };
}

std::unique_ptr<Communicator> ranks_of(const RankOptions& options) {
  return options.ranks == Ranks::kAlone ? alone() : make_communicator(options.rank_timeout);
}

void lead_ranks(Communicator& ranks, const std::function<void()>& lead) {
  const ServingRanks serving(ranks);
  try {
    lead();
  } catch (const SilentRank& error) {
    say(stderr, "Error: {}\n", error.what());
    ranks.abort(1);
  }
}

void follow_rank(Communicator& ranks, int threads) {
  try {
    serve_ranks(ranks, threads);
  } catch (const std::exception& error) {
    say(stderr, "Error on rank {}: {}\n", ranks.rank(), error.what());
    ranks.abort(1);
  }
}

}  // namespace strider::cli
