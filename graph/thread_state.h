#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <source_location>

#include "wengert/graph/mode.h"
#include "wengert/graph/storage.h"

namespace wengert {
class ParameterOverride;
class Tape;
}  // namespace wengert

// What a thread keeps: its pools, its current tape and scope. Private to the library.
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
  PoolAccount* account = nullptr;  ///< from registration on
  std::int64_t cached_bytes = 0;
  std::int64_t live_bytes = 0;
  std::int64_t most_live_bytes = 0;
  std::int64_t live_blocks = 0;
  bool closed = false;
};

struct Slab;
struct ScopeTable;
struct TapeMemory;

/// Headers of values by size in units of 16 bytes (see value_pool.cc).
inline constexpr int kValueClasses = 12;

struct ThreadState {
  Tape* tape = nullptr;                          ///< innermost live tape
  std::uint32_t scope = 0;                       ///< innermost named scope, an index into `scopes`
  std::uint32_t recording_off = 0;               ///< depth of NoGrad scopes
  Mode mode = Mode::kTraining;                   ///< of the live tapes
  bool sharing = false;                          ///< inside a Scope(shared(…))
  const ParameterOverride* overrides = nullptr;  ///< the innermost
  std::uint64_t random_lane = 0;
  /// While a derivative is computed in ops: the line of the op that it is the derivative of.
  std::source_location location = {};
  bool overrides_location = false;
  bool in_call = false;                 ///< a public call runs that was made at:
  std::source_location call_site = {};  ///< see call_site.h
  ScopeTable* scopes = nullptr;
  TapeMemory* spare_tape_memory = nullptr;
  FreeBlock* free_values[kValueClasses] = {};
  Slab* slabs[kValueClasses] = {};
  bool registered = false;
  bool ended = false;
  BlockPool blocks;
};

// initial-exec: one instruction instead of a call per access; the block of a few KiB fits the
// static TLS surplus even when the library is loaded by dlopen.
extern constinit thread_local ThreadState t_state __attribute__((tls_model("initial-exec")));

/// Makes sure that the pools are emptied when this thread ends, and that statistics see them.
void register_thread_slow();
inline void register_thread() {
  if (!t_state.registered) [[unlikely]]
    register_thread_slow();
}

/// Live blocks of all threads' pools, less what other threads gave back.
void add_live_blocks(StorageStatistics& total);
void retire_block_pool() noexcept;
void retire_value_pool() noexcept;
void retire_tape_memory() noexcept;
void retire_scopes() noexcept;

}  // namespace wengert::detail
