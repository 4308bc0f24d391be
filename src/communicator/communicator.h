#pragma once
// Processes of one run that work side by side, which MPI calls ranks. They know nothing of what they send each other.
// Calls are collective, that is every rank makes the same ones in the same order, except for those between two ranks
// (start_send() to wait()). One thread of a rank calls at a time.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"

namespace strider {

/// A rank that was waited for gave no sign. Nothing can be agreed on any more: abort() is what is left.
class SilentRank : public Error {
 public:
  using Error::Error;
};

class Communicator {
 public:
  Communicator() = default;
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  virtual int rank() const = 0;  // of this process, from 0
  virtual int size() const = 0;
  /// Whether all ranks run on one machine, where what they send is copied in memory. All get the same answer.
  virtual bool shares_machine() const = 0;

  /// Sends out[r] to rank r and receives in[r] from it, for every rank but this one, whose entries are not looked at.
  /// in[r] has as many bytes as rank r sends to this one, which may be none. Throws SilentRank where a rank is silent
  /// for too long, naming it.
  virtual void exchange(std::span<const std::span<const std::byte>> out, std::span<const std::span<std::byte>> in) = 0;

  /// What `root` has in `bytes` comes to all others, who wait for it as long as it takes: it may be busy with what the
  /// others have no part in.
  virtual void broadcast(std::span<std::byte> bytes, int root) = 0;

  // Messages between two ranks that are on their way while both work. A channel is a number from 0; what a rank sends
  // another in one channel is received in the order in which it was sent, as many bytes as were sent, whatever the two
  // exchange or broadcast meanwhile. Where there are no bytes nothing is sent and nothing has to be received.

  /// The bytes are read until wait() for this channel has returned.
  virtual void start_send(std::span<const std::byte> bytes, int to, int channel) = 0;
  /// The bytes are there when wait() for this channel has returned.
  virtual void start_receive(std::span<std::byte> bytes, int from, int channel) = 0;
  /// To be called between two pieces of work, since messages may move on only inside a call. Waits for nothing.
  virtual void poll() = 0;
  /// Until all that was started in the channel is done. Throws SilentRank as exchange() does.
  virtual void wait(int channel) = 0;

  // Signals that ask a run to stop, which any rank may get. The engine takes what signal_here() says (0: none) to rank
  // 0 with the next losses, which calls on_signal_elsewhere. Either may be empty.
  std::function<int()> signal_here;
  std::function<void(int signal)> on_signal_elsewhere;

  /// Ends the processes of all ranks at once with an exit code, whatever they do.
  [[noreturn]] virtual void abort(int exit_code) = 0;
};

/// A process alone.
std::unique_ptr<Communicator> alone();

/// The ranks that mpirun, mpiexec or srun have started this process with; alone() where it was started by itself.
/// `silence_seconds`: after so long without a sign of a rank that is waited for the run is given up. Throws Error where
/// there are others and the program was built without MPI. To be called once in a process.
std::unique_ptr<Communicator> make_communicator(double silence_seconds);

/// Of the processes that a launcher says it has started: 1 where there is none. Looks at the environment only.
int launched_ranks();

// On top of these:

/// All ranks get what each has: counts[r] elements of rank r lie in `all` behind those of the ranks before it, and
/// every rank has filled in its own.
template <typename T>
void all_gather(Communicator& ranks, std::span<const std::int64_t> counts, std::span<T> all) {
  std::vector<std::span<std::byte>> in;
  std::size_t at = 0;
  for (const std::int64_t count : counts) {
    in.push_back(std::as_writable_bytes(all.subspan(at, static_cast<std::size_t>(count))));
    at += static_cast<std::size_t>(count);
  }
  const std::span<const std::byte> own = in[static_cast<std::size_t>(ranks.rank())];
  ranks.exchange(std::vector<std::span<const std::byte>>(in.size(), own), in);
}

template <typename T>
void broadcast_value(Communicator& ranks, T& value, int root) {
  ranks.broadcast(std::as_writable_bytes(std::span(&value, 1)), root);
}

}  // namespace strider
