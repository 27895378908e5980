#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <source_location>

#include "wengert/graph/kept_by_thread.h"
#include "wengert/graph/mode.h"
#include "wengert/graph/storage.h"

namespace wengert {
class ParameterOverride;
class Tape;
}  // namespace wengert

// What a thread keeps: its current tape and scope, and its pools. Private to the library.
namespace wengert::detail {

struct FreeBlock {
  FreeBlock* next;
};

/// What other threads gave back of a pool's blocks. It outlives its thread, and then serves
/// another one.
struct PoolAccount {
  std::atomic<std::int64_t> returned_bytes{0};
  std::atomic<std::int64_t> returned_blocks{0};
  PoolAccount* next_free = nullptr;
};

/// Free storage blocks by size class: (64 − 7) powers of two, eight classes each.
struct BlockPool {
  static constexpr int kClasses = 57 * 8 + 1;
  FreeBlock* heads[kClasses] = {};
  PoolAccount* account = nullptr;
  std::int64_t cached_bytes = 0;
  std::int64_t live_bytes = 0;
  std::int64_t most_live_bytes = 0;
  std::int64_t live_blocks = 0;
};

struct Slab;
struct ScopeTable;
struct TapeMemory;
struct ThreadState;

/// Headers of values by size in units of 16 bytes (see value_pool.cc).
inline constexpr int kValueClasses = 12;

/// A thread's pools: on the heap, made at its first use, freed after the destructors of its
/// thread-local variables, which may still compute. Those of the main thread live as long as the
/// process: what runs at exit may compute too.
struct ThreadMemory {
  std::uint64_t serial = 0;      ///< no two threads of a process have the same; 0: of none
  ThreadState* state = nullptr;  ///< of the thread that it belongs to, while that lives
  ScopeTable* scopes = nullptr;
  TapeMemory* spare_tape_memory = nullptr;
  FreeBlock* free_values[kValueClasses] = {};
  Slab* slabs[kValueClasses] = {};
  BlockPool blocks;
  KeptObject kept[static_cast<int>(Kept::kPlaces)];
};

/// Stands for the pools of a thread that has none yet: empty, and never written.
extern constinit const ThreadMemory no_thread_memory;

/// What every op looks at. It is small: a library that is opened by dlopen gets its thread-locals
/// from a few hundred bytes that all such libraries of a process share.
struct ThreadState {
  ThreadMemory* memory = const_cast<ThreadMemory*>(&no_thread_memory);
  Tape* tape = nullptr;                          ///< innermost live tape
  std::uint32_t scope = 0;                       ///< innermost named scope, an index into `scopes`
  std::uint32_t recording_off = 0;               ///< depth of NoGrad scopes
  const ParameterOverride* overrides = nullptr;  ///< the innermost
  std::uint64_t random_lane = 0;
  /// While a derivative is computed in ops: the line of the op that it is the derivative of.
  std::source_location location = {};
  std::source_location call_site = {};  ///< see call_site.h
  bool overrides_location = false;
  bool in_call = false;         ///< a public call runs that was made at `call_site`
  Mode mode = Mode::kTraining;  ///< of the live tapes
  bool sharing = false;         ///< inside a Scope(shared(…))
};
static_assert(sizeof(ThreadState) <= 64);

// initial-exec: one instruction instead of a call per access.
extern constinit thread_local ThreadState t_state __attribute__((tls_model("initial-exec")));

inline bool has_thread_memory() { return t_state.memory != &no_thread_memory; }
/// Makes the calling thread's pools, at its first use. Throws std::bad_alloc, and then has done
/// nothing.
void make_thread_memory();
inline ThreadMemory& thread_memory() {
  if (!has_thread_memory()) [[unlikely]]
    make_thread_memory();
  return *t_state.memory;
}

/// Calls act(state, context) for the thread whose memory has that serial, while it cannot end;
/// does nothing where it has ended.
void visit_thread(std::uint64_t serial, void (*act)(ThreadState& state, void* context),
                  void* context);

/// Live blocks of all threads' pools, less what other threads gave back.
void add_live_blocks(StorageStatistics& total);
// What the end of the calling thread does with its pools.
void retire_block_pool() noexcept;
void retire_value_pool() noexcept;
void retire_tape_memory() noexcept;
void retire_scopes() noexcept;
/// Around a fork: the depot's lock is held by nobody in the child.
void lock_depot();
void unlock_depot();

}  // namespace wengert::detail
