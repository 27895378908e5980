#include "wengert/graph/thread_state.h"

#include <algorithm>
#include <mutex>
#include <vector>

namespace wengert::detail {

constinit thread_local ThreadState t_state;

namespace {

struct Registry {
  std::mutex mutex;
  std::vector<ThreadState*> threads;
  std::vector<PoolAccount*> accounts;  ///< as many as threads were ever alive together
  PoolAccount* free_accounts = nullptr;
};

Registry& registry() {
  static auto* instance = new Registry;  // never destroyed: threads may end after main returned
  return *instance;
}

/// Its destructor runs when the thread ends.
struct Retirement {
  bool armed = false;
  ~Retirement() {
    retire_tape_memory();
    retire_value_pool();
    retire_scopes();
    {
      std::lock_guard lock(registry().mutex);
      auto& threads = registry().threads;
      threads.erase(std::remove(threads.begin(), threads.end(), &t_state), threads.end());
    }
    retire_block_pool();
    {
      std::lock_guard lock(registry().mutex);
      PoolAccount* account = t_state.blocks.account;
      account->next_free = registry().free_accounts;
      registry().free_accounts = account;
    }
    t_state.ended = true;
  }
};
thread_local Retirement t_retirement;

}  // namespace

void register_thread_slow() {
  if (t_state.ended) return;
  t_state.registered = true;
  t_retirement.armed = true;  // the first use constructs it and so books its destructor
  std::lock_guard lock(registry().mutex);
  Registry& known = registry();
  known.threads.push_back(&t_state);
  PoolAccount*& account = t_state.blocks.account;
  account = known.free_accounts;
  if (account != nullptr) {
    known.free_accounts = account->next_free;
  } else {
    account = new PoolAccount;
    known.accounts.push_back(account);
  }
}

void add_live_blocks(StorageStatistics& total) {
  std::lock_guard lock(registry().mutex);
  for (const ThreadState* thread : registry().threads) {
    // Plain reads of another thread's counters: exact when that thread rests, as in tests.
    total.live_bytes += __atomic_load_n(&thread->blocks.live_bytes, __ATOMIC_RELAXED);
    total.live_blocks += __atomic_load_n(&thread->blocks.live_blocks, __ATOMIC_RELAXED);
  }
  for (const PoolAccount* account : registry().accounts) {
    total.live_bytes -= account->returned_bytes.load(std::memory_order_relaxed);
    total.live_blocks -= account->returned_blocks.load(std::memory_order_relaxed);
  }
}

}  // namespace wengert::detail
