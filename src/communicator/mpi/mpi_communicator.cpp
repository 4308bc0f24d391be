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

constexpr std::size_t kMostBytes = std::size_t{1} << 30;                        // of one message: MPI counts in int
constexpr int kExchange = 1, kBroadcast = 2, kGivingUp = 3, kFirstChannel = 4;  // tags

bool is_one_machine() {
  MPI_Comm neighbours = MPI_COMM_NULL;  // those that can share memory with this rank
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &neighbours);
  int here = 0, all = 0;
  MPI_Comm_size(neighbours, &here);
  MPI_Comm_size(MPI_COMM_WORLD, &all);
  MPI_Comm_free(&neighbours);
  return here == all;
}

// Sends and receives under way.
class Requests {
 public:
  void send(std::span<const std::byte> bytes, int to, int tag) {
    for (std::size_t at = 0; at < bytes.size(); at += kMostBytes) {
      const auto part = bytes.subspan(at, std::min(kMostBytes, bytes.size() - at));
      MPI_Isend(part.data(), static_cast<int>(part.size()), MPI_BYTE, to, tag, MPI_COMM_WORLD, add(to, tag));
    }
  }

  void receive(std::span<std::byte> bytes, int from, int tag) {
    for (std::size_t at = 0; at < bytes.size(); at += kMostBytes) {
      const auto part = bytes.subspan(at, std::min(kMostBytes, bytes.size() - at));
      MPI_Irecv(part.data(), static_cast<int>(part.size()), MPI_BYTE, from, tag, MPI_COMM_WORLD, add(from, tag));
    }
  }

  // Lets MPI make progress with all messages of the process.
  void test() {
    if (handles_.empty()) return;
    int done = 0;
    done_.resize(handles_.size());
    MPI_Testsome(static_cast<int>(handles_.size()), handles_.data(), &done, done_.data(), MPI_STATUSES_IGNORE);
  }

  bool is_done(int tag) const { return ranks_waited_for(tag).empty(); }

  // Ascending, each once.
  std::vector<int> ranks_waited_for(int tag) const {
    std::vector<int> ranks;
    for (std::size_t i = 0; i < handles_.size(); ++i) {
      if (handles_[i] != MPI_REQUEST_NULL && about_[i].tag == tag) ranks.push_back(about_[i].rank);
    }
    std::ranges::sort(ranks);
    ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
    return ranks;
  }

  void forget(int tag) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < handles_.size(); ++i) {
      if (about_[i].tag == tag) continue;
      handles_[kept] = handles_[i];
      about_[kept] = about_[i];
      kept += 1;
    }
    handles_.resize(kept);
    about_.resize(kept);
  }

 private:
  struct About {
    int rank = 0, tag = 0;
  };

  MPI_Request* add(int rank, int tag) {
    about_.push_back({rank, tag});
    return &handles_.emplace_back(MPI_REQUEST_NULL);
  }

  std::vector<MPI_Request> handles_;  // null once done
  std::vector<About> about_;
  std::vector<int> done_;
};

class MpiCommunicator : public Communicator {
 public:
  explicit MpiCommunicator(double silence_seconds) : silence_seconds_(silence_seconds) {
    int provided = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided);
    if (provided < MPI_THREAD_SERIALIZED) {
      throw Error("this machine's MPI allows calls of one thread alone",
                  {.file = {}, .place = {}, .advice = "Use one that was built with threads, or start one process."});
    }
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    shares_machine_ = is_one_machine();
  }
  ~MpiCommunicator() override { MPI_Finalize(); }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  bool shares_machine() const override { return shares_machine_; }

  void exchange(std::span<const std::span<const std::byte>> out, std::span<const std::span<std::byte>> in) override {
    for (int step = 1; step < size_; ++step) {  // not everybody to the same rank at once
      const int from = (rank_ - step + size_) % size_;
      requests_.receive(in[static_cast<std::size_t>(from)], from, kExchange);
      const int to = (rank_ + step) % size_;
      requests_.send(out[static_cast<std::size_t>(to)], to, kExchange);
    }
    wait_for(kExchange, silence_seconds_);
  }

  void broadcast(std::span<std::byte> bytes, int root) override {
    if (rank_ == root) {
      for (int to = 0; to < size_; ++to) {
        if (to != root) requests_.send(bytes, to, kBroadcast);
      }
      wait_for(kBroadcast, silence_seconds_);
    } else {
      requests_.receive(bytes, root, kBroadcast);
      wait_for(kBroadcast, 0.0);
    }
  }

  void start_send(std::span<const std::byte> bytes, int to, int channel) override {
    requests_.send(bytes, to, kFirstChannel + channel);
  }
  void start_receive(std::span<std::byte> bytes, int from, int channel) override {
    requests_.receive(bytes, from, kFirstChannel + channel);
  }
  // Over TCP one test takes in a single fragment of a message, and many have come since the last call.
  void poll() override {
    constexpr int kTests = 4;
    for (int i = 0; i < kTests; ++i) requests_.test();
  }
  void wait(int channel) override { wait_for(kFirstChannel + channel, silence_seconds_); }

  void abort(int exit_code) override {
    std::fflush(nullptr);
    MPI_Abort(MPI_COMM_WORLD, exit_code);
    std::_Exit(exit_code);
  }

 private:
  // Until all with this tag is done. Spins for a while, since others are as a rule done soon, and then leaves the
  // processor to whoever shares it. `most_seconds` 0: as long as it takes.
  void wait_for(int tag, double most_seconds) {
    constexpr double kSpinSeconds = 0.002;
    const auto began = Clock::now();
    for (;;) {
      requests_.test();
      if (requests_.is_done(tag)) break;
      const double seconds = seconds_since(began);
      if (most_seconds > 0.0 && seconds > most_seconds) give_up(seconds, tag);
      if (seconds > kSpinSeconds) std::this_thread::sleep_for(std::chrono::microseconds(seconds > 1.0 ? 1000 : 50));
    }
    requests_.forget(tag);
  }

  [[noreturn]] void give_up(double seconds, int tag) {
    throw SilentRank(fmt::format("rank {} has waited {:.0f} s for rank {}, which is silent", rank_, seconds,
                                 fmt::join(silent_ranks(requests_.ranks_waited_for(tag)), " and rank ")),
                     {.file = {},
                      .place = {},
                      .advice = "The run is ended on all ranks; the last checkpoint is whole. RANK_TIMEOUT says how "
                                "long ranks wait."});
  }

  // A rank that this one waits for may itself wait for one that is silent, and gives up at about the same time. All who
  // give up tell each other whom they wait for: silent is who is waited for and tells nothing.
  std::vector<int> silent_ranks(const std::vector<int>& waited_for) {
    constexpr double kShareOfSilence = 0.1, kMostSeconds = 1.0;
    const auto size = static_cast<std::size_t>(size_);
    waits_for_.assign(size * size, std::byte{0});
    const auto told_by = [&](int rank) {
      return std::span(waits_for_).subspan(static_cast<std::size_t>(rank) * size, size);
    };
    for (const int rank : waited_for) told_by(rank_)[static_cast<std::size_t>(rank)] = std::byte{1};
    for (int other = 0; other < size_; ++other) {
      if (other == rank_) continue;
      requests_.receive(told_by(other), other, kGivingUp);
      requests_.send(told_by(rank_), other, kGivingUp);
    }
    const auto began = Clock::now();
    while (seconds_since(began) < std::min(kMostSeconds, kShareOfSilence * silence_seconds_)) {
      requests_.test();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::vector<int> silent;
    for (int rank = 0; rank < size_; ++rank) {
      bool tells = false, is_waited_for = false;
      for (int other = 0; other < size_; ++other) {
        tells = tells || told_by(rank)[static_cast<std::size_t>(other)] != std::byte{0};
        is_waited_for = is_waited_for || told_by(other)[static_cast<std::size_t>(rank)] != std::byte{0};
      }
      if (is_waited_for && !tells) silent.push_back(rank);
    }
    return silent.empty() ? waited_for : silent;
  }

  double silence_seconds_;
  int rank_ = 0, size_ = 1;
  bool shares_machine_ = true;
  Requests requests_;
  std::vector<std::byte> waits_for_;  // [N, N]: whom each rank that has given up waits for
};

}  // namespace

std::unique_ptr<Communicator> make_communicator(double silence_seconds) {
  if (launched_ranks() == 1) return alone();
  return std::make_unique<MpiCommunicator>(silence_seconds);
}

}  // namespace strider
