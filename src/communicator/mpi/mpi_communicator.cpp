// Ranks over MPI. All is sent from rank to rank without blocking and waited for here, so that a rank that is silent can
// be named, and a wait can end.
#include <fmt/format.h>
#include <mpi.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <thread>

#include "base/clock.h"
#include "communicator/communicator.h"

namespace strider {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 30;  // of one message: MPI counts in int
constexpr int kExchange = 1, kBroadcast = 2;              // tags

struct Request {
  MPI_Request handle = MPI_REQUEST_NULL;
  int rank = 0;
};

class MpiCommunicator : public Communicator {
 public:
  explicit MpiCommunicator(double silence_seconds) : silence_seconds_(silence_seconds) {
    MPI_Init(nullptr, nullptr);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
  }
  ~MpiCommunicator() override { MPI_Finalize(); }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void exchange(std::span<const std::span<const std::byte>> out, std::span<const std::span<std::byte>> in) override {
    requests_.clear();
    for (int step = 1; step < size_; ++step) {  // not everybody to the same rank at once
      const int from = (rank_ - step + size_) % size_;
      receive(in[static_cast<std::size_t>(from)], from, kExchange);
      const int to = (rank_ + step) % size_;
      send(out[static_cast<std::size_t>(to)], to, kExchange);
    }
    wait(silence_seconds_);
  }

  void broadcast(std::span<std::byte> bytes, int root) override {
    requests_.clear();
    if (rank_ == root) {
      for (int to = 0; to < size_; ++to) {
        if (to != root) send(bytes, to, kBroadcast);
      }
      wait(silence_seconds_);
    } else {
      receive(bytes, root, kBroadcast);
      wait(0.0);
    }
  }

  void abort(int exit_code) override {
    std::fflush(nullptr);
    MPI_Abort(MPI_COMM_WORLD, exit_code);
    std::_Exit(exit_code);
  }

 private:
  void send(std::span<const std::byte> bytes, int to, int tag) {
    for (std::size_t at = 0; at < bytes.size(); at += kMostBytes) {
      const auto part = bytes.subspan(at, std::min(kMostBytes, bytes.size() - at));
      requests_.push_back({.rank = to});
      MPI_Isend(part.data(), static_cast<int>(part.size()), MPI_BYTE, to, tag, MPI_COMM_WORLD,
                &requests_.back().handle);
    }
  }

  void receive(std::span<std::byte> bytes, int from, int tag) {
    for (std::size_t at = 0; at < bytes.size(); at += kMostBytes) {
      const auto part = bytes.subspan(at, std::min(kMostBytes, bytes.size() - at));
      requests_.push_back({.rank = from});
      MPI_Irecv(part.data(), static_cast<int>(part.size()), MPI_BYTE, from, tag, MPI_COMM_WORLD,
                &requests_.back().handle);
    }
  }

  // Until all is done. Spins for a while, since others are as a rule done soon, and then leaves the processor to
  // whoever shares it. `most_seconds` 0: as long as it takes.
  void wait(double most_seconds) {
    constexpr double kSpinSeconds = 0.002;
    const auto began = Clock::now();
    for (;;) {
      bool is_done = true;
      for (Request& request : requests_) {
        int done = 1;
        if (request.handle != MPI_REQUEST_NULL) MPI_Test(&request.handle, &done, MPI_STATUS_IGNORE);
        is_done = is_done && done != 0;
      }
      if (is_done) return;
      const double seconds = seconds_since(began);
      if (most_seconds > 0.0 && seconds > most_seconds) give_up(seconds);
      if (seconds > kSpinSeconds) std::this_thread::sleep_for(std::chrono::microseconds(seconds > 1.0 ? 1000 : 50));
    }
  }

  [[noreturn]] void give_up(double seconds) {
    std::vector<int> silent;
    for (const Request& request : requests_) {
      if (request.handle != MPI_REQUEST_NULL) silent.push_back(request.rank);
    }
    std::ranges::sort(silent);
    silent.erase(std::ranges::unique(silent).begin(), silent.end());
    throw SilentRank(
        fmt::format("rank {} has waited {:.0f} s for rank {}, which is silent", rank_, seconds,
                    fmt::join(silent, " and rank ")),
        {.file = {},
         .place = {},
         .advice = "The run is ended on all ranks; the last checkpoint is whole. RANK_TIMEOUT says how long "
                   "ranks wait."});
  }

  double silence_seconds_;
  int rank_ = 0, size_ = 1;
  std::vector<Request> requests_;
};

}  // namespace

std::unique_ptr<Communicator> make_communicator(double silence_seconds) {
  if (launched_ranks() == 1) return alone();
  return std::make_unique<MpiCommunicator>(silence_seconds);
}

}  // namespace strider
