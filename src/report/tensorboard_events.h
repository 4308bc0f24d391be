#pragma once
// TensorBoard's event files: curves of a run, written as they happen, for `tensorboard --logdir`. Tags:
//   train/loss, train/grad_norm, train/learning_rate, train/epoch, train/num_input_tokens_seen, eval/loss, eval/runtime
//     as Hugging Face's Trainer names them, with its meanings; losses are in nats, eval/runtime in seconds
//   train/excess_loss, eval/excess_loss
//     loss per predicted token minus the best that any model can reach, where that is known
//   train/tokens_per_second, train/share_of_peak
//     over the steps since the last entry; share_of_peak is the rate of floating-point operations divided by what the
//     processor can do, where that is known
//   weights/{tensor}, gradients/{tensor}
//     histograms (report/histogram.h) of each tensor after a step, and of its gradient before clipping, where
//     HISTOGRAM_STEPS asks for them
//   geometry/{measure}/{array}
//     the measures of strider measure, where GEOMETRY_STEPS asks for them
//
// Each sitting writes a file of its own, events.out.tfevents.{seconds since 1970}.{host}.{process id}.strider, so a
// record that a kill cut off is the last one of its file. The file begins with SessionLog START and the step of the
// sitting's first entry: TensorBoard then drops entries of that step and later ones in the folder's earlier files, so
// no step is shown twice. A run that begins anew removes the files of the one before, as it replaces metrics.jsonl.
#include <filesystem>
#include <memory>

#include "events/run_events.h"

namespace strider {

/// Whether this build can write event files: they need libprotobuf, which a build may be without.
bool has_tensorboard_events();

/// The listener that writes them into `folder`, which is made where it is missing. Throws Error where this build
/// cannot; its handlers throw Error when a file cannot be written.
std::unique_ptr<RunListener> make_tensorboard_events(std::filesystem::path folder);

}  // namespace strider
