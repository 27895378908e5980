#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <source_location>

#include "wengert/graph/api.h"

namespace wengert::detail {

/// Memory that tensors share: counted across threads, aligned to 64 bytes, recycled through a
/// thread's pool. The header sits in front of the bytes unless the memory belongs to the user.
struct Storage {
  std::atomic<std::uint32_t> refs{1};
  std::atomic<std::uint32_t> version{0};  ///< bumped by every write guard
  std::byte* data = nullptr;
  std::size_t bytes = 0;
  bool adopted = false;    ///< the user's memory; else `data` follows this header in one block
  bool read_only = false;  ///< memory that the user gave as const
  std::uint16_t size_class = 0;              ///< of a block of ours
  void (*release)(void* context) = nullptr;  ///< for memory of the user's, may be null
  void* context = nullptr;                   ///< of a block of ours: its pool's account
  const char* writer = nullptr;  ///< what wrote last, for messages; a string that never ends
  std::source_location written_at;
};
static_assert(sizeof(Storage) <= 64);

/// That the system has no such number of bytes left, for messages.
struct OutOfMemory : std::bad_alloc {
  explicit OutOfMemory(std::size_t wanted) : bytes(wanted) {}
  std::size_t bytes;
};

/// New storage of at least `bytes`, uninitialized. Throws OutOfMemory.
WENGERT_API Storage* allocate_storage(std::size_t bytes);

/// Storage over memory that someone else owns; `release(context)` runs at the end.
WENGERT_API Storage* adopt_memory(void* data, std::size_t bytes, bool read_only,
                                  void (*release)(void*), void* context);

/// Takes the last reference's memory back into the pool of the calling thread.
WENGERT_API void free_storage(Storage* storage) noexcept;

inline void retain(Storage* storage) {
  if (storage != nullptr) storage->refs.fetch_add(1, std::memory_order_relaxed);
}

inline void release(Storage* storage) noexcept {
  if (storage == nullptr) return;
  // A sole owner sees 1 and skips the locked instruction: nobody else can raise the count.
  if (storage->refs.load(std::memory_order_acquire) == 1 ||
      storage->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    free_storage(storage);
  }
}

/// What memory is doing, for tests and reports.
struct StorageStatistics {
  std::int64_t live_bytes = 0;    ///< in tensors, all threads
  std::int64_t live_blocks = 0;   ///< in tensors, all threads
  std::int64_t system_calls = 0;  ///< allocations taken from the system so far, all threads
};
WENGERT_API StorageStatistics storage_statistics();

/// Gives the calling thread's unused blocks back to the system.
WENGERT_API void trim_storage() noexcept;

}  // namespace wengert::detail
