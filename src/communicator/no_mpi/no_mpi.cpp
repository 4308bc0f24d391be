// A build without MPI=1.
#include <fmt/format.h>

#include "base/error.h"
#include "communicator/communicator.h"

namespace strider {

std::unique_ptr<Communicator> make_communicator(double) {
  const int ranks = launched_ranks();
  if (ranks == 1) return alone();
  throw Error(
      fmt::format("{} ranks were started, and this program was built without MPI", ranks),
      {.file = {},
       .place = {},
       .advice =
           "Build it with make build MPI=1, or start it once, without mpirun. RANKS=alone (--ranks): each process "
           "is a run of its own."});
}

}  // namespace strider
