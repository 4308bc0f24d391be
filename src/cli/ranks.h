#pragma once
// The processes of one command that mpirun or srun has started: rank 0 does what the command is for, the others serve
// its engines (engine/ranks/).
#include <functional>
#include <memory>
#include <vector>

#include "base/setting.h"
#include "communicator/communicator.h"

namespace strider::cli {

/// Whether the processes that a launcher has started share the command, or each is one of its own.
enum class Ranks { kAuto, kAlone };

struct RankOptions {
  Ranks ranks = Ranks::kAuto;
  double rank_timeout = 300.0;  // seconds that ranks wait for one that gives no sign
};

/// The rows of RANKS and RANK_TIMEOUT.
std::vector<Setting<RankOptions>> rank_settings();

/// See make_communicator().
std::unique_ptr<Communicator> ranks_of(const RankOptions& options);

/// On rank 0: calls lead(), and dismisses the other ranks when it returns or throws. Where a rank is silent all are
/// ended, with its name.
void lead_ranks(Communicator& ranks, const std::function<void()>& lead);

/// On any other rank: serves until it is dismissed, and prints nothing but its errors, which end all ranks.
void follow_rank(Communicator& ranks, int threads);

}  // namespace strider::cli
