#pragma once
// Signals while a run goes.
//   SIGINT, SIGTERM, SIGHUP, SIGXCPU   a checkpoint is written and the run stops; the exit code is 128 + signal
//   SIGUSR1, SIGUSR2                   a checkpoint is written and the run goes on
// The request is acknowledged at once. `timeout`, Slurm and systemd send a signal to the process and then to its group,
// so what comes within two seconds of the first signal is the same request; a later SIGINT or SIGTERM ends the program
// at once.
#include "train/signals.h"

namespace strider::cli {

/// Handles them while it lives; one at a time.
class SignalScope {
 public:
  /// `output`: the descriptor where people read.
  SignalScope(TrainingSignals& signals, int output);
  ~SignalScope();
  SignalScope(const SignalScope&) = delete;
  SignalScope& operator=(const SignalScope&) = delete;
};

}  // namespace strider::cli
