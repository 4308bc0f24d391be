#include "train/checkpoint_writer.h"

#include <utility>

namespace strider {

CheckpointWriter::CheckpointWriter(const CheckpointOrigin& origin, const Engine& engine,
                                   std::function<void(std::int64_t, const Notices&)> written)
    : origin_(origin), written_(std::move(written)) {
  copy_.parameters.reserve(engine.layout().total());
  if (origin.settings.average_share > 0.0) copy_.weight_sums.reserve(engine.layout().total());
  for (const StateBuffer& buffer : engine.optimizer_state()) {
    copy_.optimizer.emplace_back().name = buffer.name;
    copy_.optimizer.back().values.reserve(static_cast<std::size_t>(buffer.floats));
  }
}

CheckpointWriter::~CheckpointWriter() {
  if (copying_ == nullptr) return;
  try {
    wait();
  } catch (...) {
    // Whoever wants to know has called wait().
  }
}

void CheckpointWriter::save(Engine& engine, const TrainerState& state, std::span<const double> weight_sums) {
  wait();
  copy_.state = state;
  copy_.parameters.resize(engine.layout().total());
  const std::vector<StateBuffer> buffers = engine.optimizer_state();
  std::vector<std::span<float>> states;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    copy_.optimizer[i].values.resize(static_cast<std::size_t>(buffers[i].floats));
    states.emplace_back(copy_.optimizer[i].values);
  }
  copy_.weight_sums.assign(weight_sums.begin(), weight_sums.end());
  copying_ = engine.begin_copy(copy_.parameters, states);
  poll();
}

// What has been copied.
void CheckpointWriter::write() {
  writing_.start([this, copy = std::shared_ptr<StateCopy>(std::move(copying_))] {
    copy->take();
    notices_ = write_checkpoint(origin_, copy_);
    notices_.add(
        rotate_checkpoints(origin_.settings.output_dir, copy_.state, rotation_rule(origin_.settings, origin_.plan)));
  });
}

void CheckpointWriter::poll() {
  if (writing_.finished()) written_(copy_.state.global_step, notices_);
  if (copying_ != nullptr && copying_->is_there()) write();
}

void CheckpointWriter::wait() {
  if (copying_ != nullptr) {
    copying_->wait();
    write();
  }
  if (writing_.wait()) written_(copy_.state.global_step, notices_);
}

}  // namespace strider
