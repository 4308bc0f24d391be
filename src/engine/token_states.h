#pragma once
// The states of tokens that go through the model alone, at position 0, computed array by array.
#include <cstdint>

#include "model/representation.h"

namespace strider {

/// Arrays are to be asked for in the order of list_token_arrays, each once, in pieces of rows from the first to the
/// last; what is out of order throws Error. Nothing is computed twice, and memory beside the model does not grow with
/// the number of arrays.
class TokenStates {
 public:
  TokenStates() = default;
  virtual ~TokenStates() = default;
  TokenStates(const TokenStates&) = delete;
  TokenStates& operator=(const TokenStates&) = delete;

  /// Pieces begin at multiples of this many rows.
  static constexpr std::int64_t kBlock = 64;

  virtual std::int64_t tokens() const = 0;
  /// Rows [first, first + count) of an array: out [count, array.width]; first is a multiple of kBlock, and count too
  /// unless the piece ends with the last token. The same bits for any number of threads.
  virtual void compute(const TokenArray& array, std::int64_t first, std::int64_t count, float* out) = 0;
};

}  // namespace strider
