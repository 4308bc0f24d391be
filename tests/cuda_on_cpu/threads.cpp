// Runs the threads of a block as fibers, and judges their accesses to memory.
#include <ucontext.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <exception>
#include <memory>
#include <vector>

#include "cuda_on_cpu/cuda_runtime.h"

#if defined(__SANITIZE_ADDRESS__)
#define STRIDER_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STRIDER_ADDRESS_SANITIZER 1
#endif
#endif
#ifdef STRIDER_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace cuda_on_cpu {

namespace {

#ifdef STRIDER_ADDRESS_SANITIZER
constexpr std::size_t kStackBytes = 512 * 1024;
#else
constexpr std::size_t kStackBytes = 64 * 1024;
#endif

enum class Wait { kNothing, kBlock, kWarp, kEnd };

struct Fiber {
  ucontext_t context = {};  // how it begins
  jmp_buf place = {};       // where it goes on
  bool has_begun = false;
  std::unique_ptr<std::byte[]> stack{new std::byte[kStackBytes]};
};

struct Thread {
  Fiber* fiber = nullptr;
  Wait waits = Wait::kNothing;
  int line = 0;                    // where it waits
  int rounds = 0;                  // exchanges so far
  std::array<Gift, 2> given = {};  // to this round's exchange and to the last one's
};

class Block {
 public:
  void run(dim3 size, const std::function<void()>& thread, bool backwards);

  int current = 0;
  std::vector<Thread> threads;
  std::vector<std::uint32_t> warp_barriers;
  std::uint32_t barriers = 0;
  std::uint32_t launch = 0;
  std::uint32_t shared_serial = 0;  // each block's shared memory is another one
  std::int32_t number = 0;

  void wait(Wait why, int line) {
    Thread& thread = threads[static_cast<std::size_t>(current)];
    thread.waits = why;
    thread.line = line;
    to_scheduler(*thread.fiber, false);
  }
  std::string where() const {
    return "block (" + std::to_string(blockIdx.x) + ", " + std::to_string(blockIdx.y) + "), thread " +
           std::to_string(current) + ": ";
  }

 private:
  static void entry();
  void fiber_main();
  void to_scheduler(Fiber& fiber, bool ends);
  void to_fiber(Fiber& fiber);
  void arrive_from_scheduler();
  void resume(int thread);
  bool release();
  void release_warp(int warp);
  Fiber& free_fiber();
  void set_place(int thread);

  jmp_buf scheduler_ = {};
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> free_;
  Fiber* starting_ = nullptr;
  const std::function<void()>* work_ = nullptr;
  int started_ = 0;
  bool backwards_ = false;
  std::exception_ptr failure_;
#ifdef STRIDER_ADDRESS_SANITIZER
  void* scheduler_fake_ = nullptr;
  const void* scheduler_stack_ = nullptr;
  std::size_t scheduler_size_ = 0;
#endif
};

// One block at a time, and one thread that launches.
Block& block() {
  static Block instance;
  return instance;
}

bool g_backwards = false;
std::int64_t g_launches = 0;

void Block::set_place(int thread) {
  current = thread;
  const auto t = static_cast<unsigned>(thread);
  threadIdx = {t % blockDim.x, t / blockDim.x % blockDim.y, t / (blockDim.x * blockDim.y)};
}

void Block::entry() {
  block().fiber_main();
}

void Block::arrive_from_scheduler() {
#ifdef STRIDER_ADDRESS_SANITIZER
  __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack_, &scheduler_size_);
#endif
}

void Block::to_scheduler(Fiber& fiber, [[maybe_unused]] bool ends) {
#ifdef STRIDER_ADDRESS_SANITIZER
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(ends ? nullptr : &fake, scheduler_stack_, scheduler_size_);
#endif
  if (_setjmp(fiber.place) == 0) _longjmp(scheduler_, 1);
#ifdef STRIDER_ADDRESS_SANITIZER
  __sanitizer_finish_switch_fiber(fake, &scheduler_stack_, &scheduler_size_);
#endif
}

void Block::to_fiber(Fiber& fiber) {
#ifdef STRIDER_ADDRESS_SANITIZER
  __sanitizer_start_switch_fiber(&scheduler_fake_, fiber.stack.get(), kStackBytes);
#endif
  // swapcontext would save the signals' mask, too, by a call of the system each time.
  if (_setjmp(scheduler_) == 0) {
    if (fiber.has_begun) _longjmp(fiber.place, 1);
    fiber.has_begun = true;
    setcontext(&fiber.context);
  }
#ifdef STRIDER_ADDRESS_SANITIZER
  __sanitizer_finish_switch_fiber(scheduler_fake_, nullptr, nullptr);
#endif
}

// Takes threads that have not begun, one after the other, as long as they end without waiting.
void Block::fiber_main() {
  arrive_from_scheduler();
  Fiber& fiber = *starting_;
  const int count = static_cast<int>(threads.size());
  while (started_ < count && !failure_) {
    const int thread = backwards_ ? count - 1 - started_ : started_;
    started_ += 1;
    threads[static_cast<std::size_t>(thread)].fiber = &fiber;
    set_place(thread);
    try {
      (*work_)();
    } catch (...) {
      failure_ = std::current_exception();
    }
    threads[static_cast<std::size_t>(current)].waits = Wait::kEnd;
  }
  free_.push_back(&fiber);
  to_scheduler(fiber, true);
}

Fiber& Block::free_fiber() {
  if (free_.empty()) {
    fibers_.push_back(std::make_unique<Fiber>());
    free_.push_back(fibers_.back().get());
  }
  Fiber& fiber = *free_.back();
  free_.pop_back();
#ifdef STRIDER_ADDRESS_SANITIZER
  __asan_unpoison_memory_region(fiber.stack.get(), kStackBytes);
#endif
  fiber.has_begun = false;
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack.get();
  fiber.context.uc_stack.ss_size = kStackBytes;
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, &Block::entry, 0);
  return fiber;
}

void Block::resume(int thread) {
  set_place(thread);
  to_fiber(*threads[static_cast<std::size_t>(thread)].fiber);
}

// Lets a warp go on that waits as a whole.
void Block::release_warp(int warp) {
  const std::size_t first = static_cast<std::size_t>(warp) * kWarp;
  const std::size_t last = std::min(threads.size(), first + kWarp);
  for (std::size_t t = first; t < last; ++t) {
    if (threads[t].waits != Wait::kWarp) return;
  }
  for (std::size_t t = first; t < last; ++t) {
    if (threads[t].line != threads[first].line) {
      throw KernelError(where() + "threads of one warp wait for each other in the lines " +
                        std::to_string(threads[first].line) + " and " + std::to_string(threads[t].line));
    }
  }
  for (std::size_t t = first; t < last; ++t) threads[t].waits = Wait::kNothing;
}

// Lets those go on whom nothing holds any more. False where all threads have ended.
bool Block::release() {
  const auto count = [&](Wait what) {
    return static_cast<std::size_t>(
        std::count_if(threads.begin(), threads.end(), [&](const Thread& thread) { return thread.waits == what; }));
  };
  if (count(Wait::kEnd) == threads.size()) return false;
  if (count(Wait::kBlock) == threads.size()) {
    for (Thread& thread : threads) {
      if (thread.line != threads.front().line) {
        throw KernelError(where() + "threads of one block wait at __syncthreads in the lines " +
                          std::to_string(threads.front().line) + " and " + std::to_string(thread.line));
      }
      thread.waits = Wait::kNothing;
    }
    barriers += 1;
    return true;
  }
  for (int warp = 0; warp < static_cast<int>(warp_barriers.size()); ++warp) release_warp(warp);
  if (count(Wait::kNothing) > 0) return true;
  throw KernelError("block (" + std::to_string(blockIdx.x) + ", " + std::to_string(blockIdx.y) +
                    "): " + std::to_string(count(Wait::kBlock)) + " threads wait at __syncthreads, " +
                    std::to_string(count(Wait::kWarp)) + " for their warp, " + std::to_string(count(Wait::kEnd)) +
                    " have ended");
}

void Block::run(dim3 size, const std::function<void()>& thread, bool backwards) {
  const std::size_t count = std::size_t{size.x} * size.y * size.z;
  threads.assign(count, {});
  warp_barriers.assign((count + kWarp - 1) / kWarp, 0);
  barriers = 0;
  shared_serial += 1;
  work_ = &thread;
  started_ = 0;
  backwards_ = backwards;
  failure_ = nullptr;
  // Fibers of a block that failed are taken back as they are; kernels own nothing.
  free_.clear();
  for (const std::unique_ptr<Fiber>& fiber : fibers_) free_.push_back(fiber.get());

  while (started_ < static_cast<int>(count) && !failure_) {
    starting_ = &free_fiber();
    to_fiber(*starting_);
  }
  while (!failure_ && release()) {
    for (std::size_t i = 0; i < count && !failure_; ++i) {
      const std::size_t t = backwards ? count - 1 - i : i;
      if (threads[t].waits == Wait::kNothing) resume(static_cast<int>(t));
    }
  }
  if (failure_) std::rethrow_exception(failure_);
}

Access now(Space space) {
  const Block& b = block();
  const int warp = b.current / kWarp;
  return {.launch = space == Space::kShared ? b.shared_serial : b.launch,
          .block = b.number,
          .warp = warp,
          .thread = b.current,
          .barriers = b.barriers,
          .warp_barriers = b.warp_barriers[static_cast<std::size_t>(warp)]};
}

// Whether an earlier access (of one thread or several) and this one may come in either order.
bool is_unordered(const Access& earlier, const Access& later) {
  if (earlier.launch != later.launch) return false;
  if (earlier.block != later.block) return true;
  if (earlier.barriers != later.barriers || earlier.thread == later.thread) return false;
  return earlier.warp != later.warp || earlier.warp_barriers == later.warp_barriers;
}

[[noreturn]] void race(const char* what, Space space, std::int64_t index, const Access& earlier) {
  const std::string other =
      earlier.block == -1 || earlier.thread == -1
          ? "several threads"
          : "thread " + std::to_string(earlier.thread) + " of block " + std::to_string(earlier.block);
  throw KernelError(block().where() + what + (space == Space::kShared ? " shared" : " global") + " element " +
                    std::to_string(index) + " in a race with " + other);
}

}  // namespace

void note_read(Word& word, Space space, std::int64_t index) {
  const Access access = now(space);
  if (space == Space::kShared && word.write.launch != access.launch) {
    throw KernelError(block().where() + "reads shared element " + std::to_string(index) + ", which nobody has written");
  }
  if (is_unordered(word.write, access)) race("reads", space, index, word.write);
  Access& read = word.read;
  if (read.launch != access.launch || (read.block == access.block && read.barriers != access.barriers)) {
    read = access;
    return;
  }
  if (read.block != access.block) {
    read.block = -1;
  } else if (read.warp != access.warp) {
    read.warp = read.thread = -1;
  } else if (read.warp_barriers != access.warp_barriers) {
    read = access;
  } else if (read.thread != access.thread) {
    read.thread = -1;
  }
}

void note_write(Word& word, Space space, std::int64_t index) {
  const Access access = now(space);
  if (is_unordered(word.write, access)) race("writes", space, index, word.write);
  if (is_unordered(word.read, access)) race("writes", space, index, word.read);
  word.write = access;
}

void out_of_bounds(Space space, std::int64_t index, std::int64_t size) {
  throw KernelError(block().where() + (space == Space::kShared ? "shared" : "global") + " element " +
                    std::to_string(index) + " of " + std::to_string(size));
}

void misaligned(Space space, std::int64_t index) {
  throw KernelError(block().where() + "reads or writes several elements at once from" +
                    (space == Space::kShared ? " shared" : " global") + " element " + std::to_string(index) +
                    " on, which is not aligned to as many");
}

int lane() {
  return block().current % kWarp;
}

void block_barrier(int line) {
  block().wait(Wait::kBlock, line);
}

void warp_barrier(int line) {
  Block& b = block();
  const auto warp = static_cast<std::size_t>(b.current / kWarp);
  const std::uint32_t before = b.warp_barriers[warp];
  b.wait(Wait::kWarp, line);
  if (b.warp_barriers[warp] == before) b.warp_barriers[warp] += 1;  // the first one that goes on
}

WarpGifts exchange_all(const Gift& gift, int line) {
  Block& b = block();
  Thread& own = b.threads[static_cast<std::size_t>(b.current)];
  const auto round = static_cast<std::size_t>(own.rounds % 2);
  own.rounds += 1;
  own.given[round] = gift;
  b.wait(Wait::kWarp, line);
  WarpGifts result = {};
  const auto first = static_cast<std::size_t>(b.current / kWarp * kWarp);
  for (std::size_t i = 0; i < kWarp; ++i) {
    if (first + i >= b.threads.size()) throw KernelError(b.where() + "needs a whole warp of threads");
    result[i] = &b.threads[first + i].given[round];
  }
  return result;
}

std::uint64_t exchange(std::uint64_t bits, int source, int line) {
  const WarpGifts given = exchange_all({bits}, line);
  if (source < 0 || source >= kWarp) {
    throw KernelError(block().where() + "shuffles with lane " + std::to_string(source) + ", which is not there");
  }
  return (*given[static_cast<std::size_t>(source)])[0];
}

void run_backwards(bool backwards) {
  g_backwards = backwards;
}

std::int64_t launches() {
  return g_launches;
}

void run_kernel(dim3 grid, dim3 size, const std::function<void()>& thread) {
  Block& b = block();
  b.launch += 1;
  g_launches += 1;
  blockDim = size;
  gridDim = grid;
  const unsigned blocks = grid.x * grid.y * grid.z;
  for (unsigned i = 0; i < blocks; ++i) {
    const unsigned number = g_backwards ? blocks - 1 - i : i;
    b.number = static_cast<std::int32_t>(number);
    blockIdx = {number % grid.x, number / grid.x % grid.y, number / (grid.x * grid.y)};
    b.run(size, thread, g_backwards);
  }
}

}  // namespace cuda_on_cpu
