#pragma once
// A fixed team of threads that run the same function side by side. The caller is member 0.
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace strider {

/// More threads than this are a slip of the pen.
inline constexpr int kMostThreads = 4096;

class ThreadTeam {
 public:
  /// `size` members in all, the calling thread included; at least 1.
  explicit ThreadTeam(int size);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls work(member) once for each member in [0, size()), all at the same time, and returns when all have ended.
  /// The first exception that a member threw is thrown again here. Not to be called from inside `work`.
  void run(const std::function<void(int member)>& work);

 private:
  void serve(int member);

  std::mutex mutex_;
  std::condition_variable start_;
  std::condition_variable done_;
  const std::function<void(int)>* work_ = nullptr;
  std::uint64_t round_ = 0;
  int running_ = 0;
  bool stopping_ = false;
  std::exception_ptr error_;
  std::vector<std::thread> workers_;
};

}  // namespace strider
