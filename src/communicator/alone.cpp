#include <algorithm>
#include <cstdlib>
#include <initializer_list>

#include "communicator/communicator.h"

namespace strider {
namespace {

class Alone : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  bool shares_machine() const override { return true; }
  void exchange(std::span<const std::span<const std::byte>>, std::span<const std::span<std::byte>>) override {}
  void broadcast(std::span<std::byte>, int) override {}
  void start_send(std::span<const std::byte>, int, int) override {}
  void start_receive(std::span<std::byte>, int, int) override {}
  void poll() override {}
  void wait(int) override {}
  void abort(int exit_code) override { std::_Exit(exit_code); }
};

}  // namespace

std::unique_ptr<Communicator> alone() {
  return std::make_unique<Alone>();
}

int launched_ranks() {
  const auto number = [](const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? 0 : std::atoi(value);
  };
  // Open MPI's mpirun; MPICH's and Intel MPI's, and srun --mpi=pmi2; srun --mpi=pmix, which says how many tasks a step
  // has.
  for (const char* const name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    if (const int ranks = number(name); ranks > 0) return ranks;
  }
  return std::getenv("PMIX_RANK") == nullptr ? 1 : std::max(1, number("SLURM_STEP_NUM_TASKS"));
}

}  // namespace strider
