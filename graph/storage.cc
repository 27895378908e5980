#include "wengert/graph/storage.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>

#include "wengert/graph/thread_state.h"

namespace wengert::detail {
namespace {

constexpr std::size_t kHeader = 64;
constexpr std::size_t kHuge = std::size_t{2} << 20;
/// Free bytes that a pool keeps whatever was live: a smaller cache is never given back.
constexpr std::int64_t kAlwaysCached = std::int64_t{64} << 20;

// Totals are kept per thread and summed on request, so that counting costs no shared cache line.
// A block freed on another thread counts in its maker's account.
std::atomic<std::int64_t> g_retired_bytes{0};
std::atomic<std::int64_t> g_retired_blocks{0};
std::atomic<std::int64_t> g_system_calls{0};

/// Sizes are rounded to eighths of a power of two (waste ≤ 12.5 %), from 128 bytes up.
struct SizeClass {
  int index;
  std::size_t bytes;
};

[[gnu::always_inline]] inline SizeClass size_class(std::size_t bytes) {
  if (bytes <= 128) return {0, 128};
  const int log = std::bit_width(bytes - 1) - 1;  // 2^log < bytes ≤ 2^(log+1)
  const std::size_t step = std::size_t{1} << (log - 3);
  const std::size_t eighths = (bytes - (std::size_t{1} << log) + step - 1) / step;  // 1…8
  return {(log - 7) * 8 + static_cast<int>(eighths), (std::size_t{1} << log) + eighths * step};
}

/// Bytes of a size class by its index.
constexpr std::size_t bytes_of_class(int index) {
  if (index == 0) return 128;
  return (std::size_t{128} << (index - 1) / 8) +
         ((index - 1) % 8 + 1) * (std::size_t{16} << (index - 1) / 8);
}

void raise_most_live(BlockPool& pool) {
  pool.live_bytes -= pool.account->returned_bytes.exchange(0, std::memory_order_relaxed);
  pool.live_blocks -= pool.account->returned_blocks.exchange(0, std::memory_order_relaxed);
  pool.most_live_bytes = std::max(pool.most_live_bytes, pool.live_bytes);
}

void free_list(FreeBlock* head) noexcept {
  while (head != nullptr) {
    FreeBlock* next = head->next;
    std::free(head);
    head = next;
  }
}

void trim_pool(BlockPool& pool) noexcept {
  for (FreeBlock*& head : pool.heads) free_list(std::exchange(head, nullptr));
  pool.cached_bytes = 0;
}

/// Blocks that were freed on another thread than the one that made them, for any thread to take:
/// one that makes batches and one that drops them would else grow by every batch.
class Depot {
 public:
  void* take(const SizeClass& size) {
    if (bytes_.load(std::memory_order_relaxed) == 0) return nullptr;
    const std::lock_guard lock(mutex_);
    FreeBlock* block = heads_[size.index];
    if (block == nullptr) return nullptr;
    heads_[size.index] = block->next;
    bytes_.fetch_sub(static_cast<std::int64_t>(size.bytes), std::memory_order_relaxed);
    return block;
  }
  void give(void* memory, const SizeClass& size) noexcept {
    const auto own = static_cast<std::int64_t>(size.bytes);
    if (bytes_.load(std::memory_order_relaxed) + own > kAlwaysCached) {
      std::free(memory);
      return;
    }
    const std::lock_guard lock(mutex_);
    auto* block = new (memory) FreeBlock;
    block->next = heads_[size.index];
    heads_[size.index] = block;
    bytes_.fetch_add(own, std::memory_order_relaxed);
  }
  void trim() noexcept {
    const std::lock_guard lock(mutex_);
    for (FreeBlock*& head : heads_) free_list(std::exchange(head, nullptr));
    bytes_.store(0, std::memory_order_relaxed);
  }
  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
  FreeBlock* heads_[BlockPool::kClasses] = {};
  std::atomic<std::int64_t> bytes_{0};
};
constinit Depot g_depot;

/// A block of `bytes`, of which a tensor wants `wanted`.
void* system_allocate(std::size_t bytes, std::size_t wanted) {
  g_system_calls.fetch_add(1, std::memory_order_relaxed);
  const std::size_t alignment = bytes < kHuge ? 64 : kHuge;
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* block = std::aligned_alloc(alignment, rounded);
  if (block == nullptr) {  // what lies in the caches may be enough
    trim_storage();
    block = std::aligned_alloc(alignment, rounded);
    if (block == nullptr) throw OutOfMemory(wanted);
  }
  if (bytes >= kHuge) madvise(block, bytes / kHuge * kHuge, MADV_HUGEPAGE);
  return block;
}

}  // namespace

Storage* allocate_storage(std::size_t bytes) {
  if (bytes > (std::size_t{1} << 62)) throw OutOfMemory(bytes);
  const SizeClass size = size_class(bytes + kHeader);
  BlockPool* pool = &t_state.memory->blocks;
  void* block = pool->heads[size.index];
  if (block != nullptr) {
    FreeBlock* next = static_cast<FreeBlock*>(block)->next;
    __builtin_prefetch(next);  // the next call's
    pool->heads[size.index] = next;
    pool->cached_bytes -= static_cast<std::int64_t>(size.bytes);
  } else {
    pool = &thread_memory().blocks;
    block = g_depot.take(size);
    if (block == nullptr) block = system_allocate(size.bytes, bytes);
  }
  pool->live_bytes += static_cast<std::int64_t>(size.bytes);
  ++pool->live_blocks;
  if (pool->live_bytes > pool->most_live_bytes) [[unlikely]]
    raise_most_live(*pool);
  auto* storage = new (block) Storage;
  storage->data = static_cast<std::byte*>(block) + kHeader;
  storage->bytes = bytes;
  storage->size_class = static_cast<std::uint16_t>(size.index);
  storage->context = pool->account;
  return storage;
}

Storage* adopt_memory(void* data, std::size_t bytes, bool read_only, void (*release)(void*),
                      void* context) {
  auto* storage = new Storage;
  storage->data = static_cast<std::byte*>(data);
  storage->bytes = bytes;
  storage->adopted = true;
  storage->read_only = read_only;
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
  const SizeClass size{storage->size_class, bytes_of_class(storage->size_class)};
  const auto block_bytes = static_cast<std::int64_t>(size.bytes);
  BlockPool& pool = t_state.memory->blocks;
  if (storage->context != pool.account) {  // of another thread, which may have ended
    auto* account = static_cast<PoolAccount*>(storage->context);
    account->returned_bytes.fetch_add(block_bytes, std::memory_order_relaxed);
    account->returned_blocks.fetch_add(1, std::memory_order_relaxed);
    g_depot.give(storage, size);
    return;
  }
  pool.live_bytes -= block_bytes;
  --pool.live_blocks;
  auto* block = new (static_cast<void*>(storage)) FreeBlock;
  block->next = pool.heads[size.index];
  pool.heads[size.index] = block;
  pool.cached_bytes += block_bytes;
  // What a step gives back the next one takes. Beyond that blocks are of sizes no longer used.
  if (pool.cached_bytes > std::max(kAlwaysCached, pool.most_live_bytes)) [[unlikely]]
    trim_pool(pool);
}

void trim_storage() noexcept {
  if (has_thread_memory()) trim_pool(t_state.memory->blocks);
  g_depot.trim();
}

void retire_block_pool() noexcept {
  BlockPool& pool = t_state.memory->blocks;
  trim_pool(pool);
  g_retired_bytes.fetch_add(pool.live_bytes);
  g_retired_blocks.fetch_add(pool.live_blocks);
  pool.live_bytes = pool.live_blocks = 0;
}

void lock_depot() { g_depot.lock(); }
void unlock_depot() { g_depot.unlock(); }

StorageStatistics storage_statistics() {
  StorageStatistics total{g_retired_bytes.load(), g_retired_blocks.load(), g_system_calls.load()};
  add_live_blocks(total);
  return total;
}

}  // namespace wengert::detail
