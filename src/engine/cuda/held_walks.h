#pragma once
// The walks that an engine holds (Engine::hold_walks): their tokens lie on the device, one walk after the other, in as
// few bytes as the vocabulary allows; the host knows where each begins. Of a call the device is told that alone, and
// makes the numbers of its batches by itself (ops/gather_walks.h, ops/order_by_token.h).
#include <functional>
#include <span>
#include <vector>

#include "base/carver.h"
#include "engine/cuda/batch.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {

/// On the device.
struct HeldMemory {
  // All tokens, in one of the two.
  DeviceSpan<std::uint16_t> narrow;
  DeviceSpan<std::int32_t> wide;
  DeviceSpan<std::int32_t> batch;  // [BatchLimits::numbers()], of the batch that is computed

  void lay_out(Carver& carver, std::int64_t tokens, const BatchLimits& limits);
};

/// A call as the device is told of it.
struct HeldCall {
  std::vector<BatchShape> shapes;
  std::int64_t numbers = 0;  // that were written
};

class HeldWalks {
 public:
  /// Engine::hold_walks. Throws std::logic_error where there are more tokens than `memory` has room for.
  void load(const HeldMemory& memory, const Stream& stream, std::span<const std::int64_t> lengths,
            const std::function<void(std::int64_t walk, std::span<std::int32_t> out)>& read);

  std::vector<std::int64_t> lengths_of(std::span<const std::int64_t> walks) const;
  /// Writes what gather_walks() reads of a call over these walks, a walk's last token being dropped: never more numbers
  /// than write_batch() would for all of its batches.
  HeldCall write_call(std::span<const std::int64_t> walks, const BatchLimits& limits,
                      std::span<std::int32_t> numbers) const;

 private:
  std::vector<std::int64_t> starts_ = {0};  // [walks + 1]
};

/// Makes the numbers of batch `batch` of a call in memory.batch, but for the order of its rows, and then that.
void gather_batch(cudaStream_t stream, const HeldMemory& memory, DeviceSpan<const std::int32_t> call,
                  std::int64_t batch, BatchShape shape, const BatchLimits& limits);
void order_batch(cudaStream_t stream, const HeldMemory& memory, BatchShape shape, const BatchLimits& limits);

}  // namespace strider::cuda
