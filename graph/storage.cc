#include "wengert/graph/storage.h"

#include <sys/mman.h>

#include <bit>
#include <cstdlib>
#include <new>

#include "wengert/graph/thread_state.h"

namespace wengert::detail {
namespace {

constexpr std::size_t kHeader = 64;
constexpr std::size_t kHuge = std::size_t{2} << 20;

// Totals are kept per thread and summed on request, so that counting costs no shared cache line.
// A block freed on another thread makes one thread's count negative and the sum right.
std::atomic<std::int64_t> g_retired_bytes{0};
std::atomic<std::int64_t> g_retired_blocks{0};
std::atomic<std::int64_t> g_system_calls{0};

/// Sizes are rounded to eighths of a power of two (waste ≤ 12.5 %), from 128 bytes up.
struct SizeClass {
  int index;
  std::size_t bytes;
};

SizeClass size_class(std::size_t bytes) {
  if (bytes <= 128) return {0, 128};
  const int log = std::bit_width(bytes - 1) - 1;  // 2^log < bytes ≤ 2^(log+1)
  const std::size_t step = std::size_t{1} << (log - 3);
  const std::size_t eighths = (bytes - (std::size_t{1} << log) + step - 1) / step;  // 1…8
  return {(log - 7) * 8 + static_cast<int>(eighths), (std::size_t{1} << log) + eighths * step};
}

void* system_allocate(std::size_t bytes) {
  g_system_calls.fetch_add(1, std::memory_order_relaxed);
  if (bytes < kHuge) {
    void* block = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (block == nullptr) throw std::bad_alloc();
    return block;
  }
  void* block = std::aligned_alloc(kHuge, (bytes + kHuge - 1) / kHuge * kHuge);
  if (block == nullptr) throw std::bad_alloc();
  madvise(block, bytes / kHuge * kHuge, MADV_HUGEPAGE);
  return block;
}

}  // namespace

Storage* allocate_storage(std::size_t bytes) {
  if (bytes > (std::size_t{1} << 62)) throw std::bad_alloc();
  const SizeClass size = size_class(bytes + kHeader);
  BlockPool& pool = t_state.blocks;
  FreeBlock*& head = pool.heads[size.index];
  void* block = head;
  if (block != nullptr) {
    head = head->next;
    pool.cached_bytes -= size.bytes;
  } else {
    block = system_allocate(size.bytes);
    register_thread();
  }
  pool.live_bytes += static_cast<std::int64_t>(size.bytes);
  ++pool.live_blocks;
  auto* storage = new (block) Storage;
  storage->data = static_cast<std::byte*>(block) + kHeader;
  storage->bytes = bytes;
  return storage;
}

Storage* adopt_memory(void* data, std::size_t bytes, void (*release)(void*), void* context) {
  auto* storage = new Storage;
  storage->data = static_cast<std::byte*>(data);
  storage->bytes = bytes;
  storage->adopted = true;
  storage->release = release;
  storage->context = context;
  return storage;
}

void free_storage(Storage* storage) noexcept {
  if (storage->adopted) {
    if (storage->release != nullptr) storage->release(storage->context);
    delete storage;
    return;
  }
  const SizeClass size = size_class(storage->bytes + kHeader);
  BlockPool& pool = t_state.blocks;
  pool.live_bytes -= static_cast<std::int64_t>(size.bytes);
  --pool.live_blocks;
  if (pool.closed) {  // a thread-local of the user's outlived this thread's pool
    g_retired_bytes.fetch_sub(static_cast<std::int64_t>(size.bytes));
    g_retired_blocks.fetch_sub(1);
    std::free(storage);
    return;
  }
  auto* block = new (static_cast<void*>(storage)) FreeBlock;
  block->next = pool.heads[size.index];
  pool.heads[size.index] = block;
  pool.cached_bytes += size.bytes;
}

void trim_storage() noexcept {
  BlockPool& pool = t_state.blocks;
  for (FreeBlock*& head : pool.heads) {
    while (head != nullptr) {
      FreeBlock* next = head->next;
      std::free(head);
      head = next;
    }
  }
  pool.cached_bytes = 0;
}

void retire_block_pool() noexcept {
  trim_storage();
  BlockPool& pool = t_state.blocks;
  pool.closed = true;
  g_retired_bytes.fetch_add(pool.live_bytes);
  g_retired_blocks.fetch_add(pool.live_blocks);
  pool.live_bytes = pool.live_blocks = 0;
}

StorageStatistics storage_statistics() {
  StorageStatistics total{g_retired_bytes.load(), g_retired_blocks.load(), g_system_calls.load()};
  add_live_blocks(total);
  return total;
}

}  // namespace wengert::detail
