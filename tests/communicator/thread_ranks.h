#pragma once
// Ranks that are threads of one process.
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "communicator/communicator.h"

namespace strider::test {

/// What ranks have sent and others have not yet received.
class Mail {
 public:
  void put(int from, int to, std::span<const std::byte> bytes) {
    const std::scoped_lock lock(mutex_);
    letters_[{from, to}].emplace_back(bytes.begin(), bytes.end());
    arrived_.notify_all();
  }
  /// Throws where it has another length.
  void take(int from, int to, std::span<std::byte> bytes) {
    std::unique_lock lock(mutex_);
    auto& waiting = letters_[{from, to}];
    arrived_.wait(lock, [&] { return !waiting.empty(); });
    if (waiting.front().size() != bytes.size()) throw Error("a message has another length than was expected");
    std::ranges::copy(waiting.front(), bytes.begin());
    waiting.pop_front();
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::map<std::pair<int, int>, std::deque<std::vector<std::byte>>> letters_;
};

class ThreadRank : public Communicator {
 public:
  ThreadRank(Mail& mail, int rank, int size) : mail_(mail), rank_(rank), size_(size) {}
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void exchange(std::span<const std::span<const std::byte>> out, std::span<const std::span<std::byte>> in) override {
    for (int other = 0; other < size_; ++other) {
      if (other != rank_) mail_.put(rank_, other, out[static_cast<std::size_t>(other)]);
    }
    for (int other = 0; other < size_; ++other) {
      if (other != rank_) mail_.take(other, rank_, in[static_cast<std::size_t>(other)]);
    }
  }
  void broadcast(std::span<std::byte> bytes, int root) override {
    for (int other = 0; other < size_ && rank_ == root; ++other) {
      if (other != root) mail_.put(root, other, bytes);
    }
    if (rank_ != root) mail_.take(root, rank_, bytes);
  }
  void abort(int exit_code) override { std::_Exit(exit_code); }

 private:
  Mail& mail_;
  int rank_, size_;
};

/// Calls work(rank 0's communicator) here, while the other ranks do `serve` in threads of their own.
inline void with_ranks(int size, const std::function<void(Communicator&)>& serve,
                       const std::function<void(Communicator&)>& work) {
  Mail mail;
  std::vector<std::jthread> others;
  for (int rank = 1; rank < size; ++rank) {
    others.emplace_back([&, rank] {
      ThreadRank own(mail, rank, size);
      serve(own);
    });
  }
  ThreadRank own(mail, 0, size);
  work(own);
}

}  // namespace strider::test
