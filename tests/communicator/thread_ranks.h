#pragma once
// Ranks that are threads of one process.
#include <algorithm>
#include <compare>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "communicator/communicator.h"

namespace strider::test {

/// What ranks have sent and others have not yet received.
class Mail {
 public:
  struct Way {
    int from = 0, to = 0, channel = 0;
    auto operator<=>(const Way&) const = default;
  };

  void put(Way way, std::span<const std::byte> bytes) {
    const std::scoped_lock lock(mutex_);
    letters_[way].emplace_back(bytes.begin(), bytes.end());
    arrived_.notify_all();
  }
  /// Throws where it has another length.
  void take(Way way, std::span<std::byte> bytes) {
    std::unique_lock lock(mutex_);
    auto& waiting = letters_[way];
    arrived_.wait(lock, [&] { return !waiting.empty(); });
    if (waiting.front().size() != bytes.size()) throw Error("a message has another length than was expected");
    std::ranges::copy(waiting.front(), bytes.begin());
    waiting.pop_front();
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::map<Way, std::deque<std::vector<std::byte>>> letters_;
};

class ThreadRank : public Communicator {
 public:
  ThreadRank(Mail& mail, int rank, int size, bool shares_machine)
      : mail_(mail), rank_(rank), size_(size), shares_machine_(shares_machine) {}
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  bool shares_machine() const override { return shares_machine_; }
  void exchange(std::span<const std::span<const std::byte>> out, std::span<const std::span<std::byte>> in) override {
    poll();
    for (int other = 0; other < size_; ++other) {
      if (other != rank_) mail_.put({rank_, other, kCollective}, out[static_cast<std::size_t>(other)]);
    }
    for (int other = 0; other < size_; ++other) {
      if (other != rank_) mail_.take({other, rank_, kCollective}, in[static_cast<std::size_t>(other)]);
    }
  }
  void broadcast(std::span<std::byte> bytes, int root) override {
    poll();
    for (int other = 0; other < size_ && rank_ == root; ++other) {
      if (other != root) mail_.put({root, other, kCollective}, bytes);
    }
    if (rank_ != root) mail_.take({root, rank_, kCollective}, bytes);
  }
  void start_send(std::span<const std::byte> bytes, int to, int channel) override {
    if (!bytes.empty()) sends_.emplace_back(Mail::Way{rank_, to, channel}, bytes);
  }
  void start_receive(std::span<std::byte> bytes, int from, int channel) override {
    if (!bytes.empty()) receives_.emplace_back(Mail::Way{from, rank_, channel}, bytes);
  }
  // Bytes go only now, so that a sender who changes them too early is found out.
  void poll() override {
    for (const auto& [way, bytes] : sends_) mail_.put(way, bytes);
    sends_.clear();
  }
  // Bytes come only now, so that a receiver who reads them too early is found out.
  void wait(int channel) override {
    poll();
    for (const auto& [way, bytes] : receives_) {
      if (way.channel == channel) mail_.take(way, bytes);
    }
    std::erase_if(receives_, [&](const auto& receive) { return receive.first.channel == channel; });
  }
  void abort(int exit_code) override { std::_Exit(exit_code); }

 private:
  static constexpr int kCollective = -1;  // the channel of exchange() and broadcast()

  Mail& mail_;
  int rank_, size_;
  bool shares_machine_;
  std::vector<std::pair<Mail::Way, std::span<const std::byte>>> sends_;
  std::vector<std::pair<Mail::Way, std::span<std::byte>>> receives_;
};

/// Calls work(rank 0's communicator) here, while the other ranks do `serve` in threads of their own.
inline void with_ranks(int size, const std::function<void(Communicator&)>& serve,
                       const std::function<void(Communicator&)>& work, bool share_machine = true) {
  Mail mail;
  std::vector<std::jthread> others;
  for (int rank = 1; rank < size; ++rank) {
    others.emplace_back([&, rank] {
      ThreadRank own(mail, rank, size, share_machine);
      serve(own);
    });
  }
  ThreadRank own(mail, 0, size, share_machine);
  work(own);
}

}  // namespace strider::test
