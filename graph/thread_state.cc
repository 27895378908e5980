#include "wengert/graph/thread_state.h"

#include <pthread.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

namespace wengert::detail {

constinit const ThreadMemory no_thread_memory;
constinit thread_local ThreadState t_state;

namespace {

void retire_thread(void* memory) noexcept;

struct Registry {
  std::mutex mutex;
  std::vector<ThreadMemory*> threads;
  std::vector<PoolAccount*> accounts;  ///< as many as threads were ever alive together
  PoolAccount* free_accounts = nullptr;
  std::uint64_t threads_made = 0;
  /// Its destructor runs when a thread ends, after those of thread-local variables.
  pthread_key_t key;

  Registry() {
    if (pthread_key_create(&key, retire_thread) != 0) throw std::bad_alloc();
  }
};

Registry& registry() {
  static auto* instance = new Registry;  // never destroyed: threads may end after main returned
  return *instance;
}

void before_fork() {
  registry().mutex.lock();
  lock_depot();
}

void after_fork() {
  unlock_depot();
  registry().mutex.unlock();
}

/// Only the calling thread is there in the child. What the others had stays where it is.
void after_fork_in_child() {
  for (ThreadMemory* memory : registry().threads) {
    if (memory != t_state.memory) memory->state = nullptr;
  }
  after_fork();
}

void retire_thread(void* retired) noexcept {
  auto* memory = static_cast<ThreadMemory*>(retired);
  t_state.memory = memory;
  retire_tape_memory();
  for (auto& kept : memory->kept) {
    if (kept.object != nullptr) kept.free(kept.object);
  }
  retire_value_pool();
  retire_scopes();
  {
    const std::lock_guard lock(registry().mutex);
    std::erase(registry().threads, memory);
  }
  retire_block_pool();
  {
    const std::lock_guard lock(registry().mutex);
    PoolAccount* account = memory->blocks.account;
    account->next_free = registry().free_accounts;
    registry().free_accounts = account;
  }
  // Whoever still computes on this thread begins anew.
  t_state = {};
  delete memory;
}

}  // namespace

void make_thread_memory() {
  Registry& known = registry();
  [[maybe_unused]] static const int forks =
      pthread_atfork(before_fork, after_fork, after_fork_in_child);
  auto memory = std::make_unique<ThreadMemory>();
  const std::lock_guard lock(known.mutex);
  // All that can fail comes first.
  known.threads.reserve(known.threads.size() + 1);
  if (known.free_accounts == nullptr) {
    known.accounts.reserve(known.accounts.size() + 1);
    known.free_accounts = new PoolAccount;
    known.accounts.push_back(known.free_accounts);
  }
  if (pthread_setspecific(known.key, memory.get()) != 0) throw std::bad_alloc();
  memory->serial = ++known.threads_made;
  memory->state = &t_state;
  memory->blocks.account = known.free_accounts;
  known.free_accounts = known.free_accounts->next_free;
  known.threads.push_back(memory.get());
  t_state.memory = memory.release();
}

KeptObject& kept_object(Kept place) { return thread_memory().kept[static_cast<int>(place)]; }

void visit_thread(std::uint64_t serial, void (*act)(ThreadState& state, void* context),
                  void* context) {
  const std::lock_guard lock(registry().mutex);
  for (const ThreadMemory* memory : registry().threads) {
    if (memory->serial == serial && memory->state != nullptr) act(*memory->state, context);
  }
}

void add_live_blocks(StorageStatistics& total) {
  const std::lock_guard lock(registry().mutex);
  for (const ThreadMemory* memory : registry().threads) {
    // Plain reads of another thread's counters: exact when that thread rests, as in tests.
    total.live_bytes += __atomic_load_n(&memory->blocks.live_bytes, __ATOMIC_RELAXED);
    total.live_blocks += __atomic_load_n(&memory->blocks.live_blocks, __ATOMIC_RELAXED);
  }
  for (const PoolAccount* account : registry().accounts) {
    total.live_bytes -= account->returned_bytes.load(std::memory_order_relaxed);
    total.live_blocks -= account->returned_blocks.load(std::memory_order_relaxed);
  }
}

}  // namespace wengert::detail
