#include "wengert/tests/memory/faults.h"

#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "wengert/tests/sanitizers.h"

namespace {

struct State {
  std::int64_t requests = 0, failing = 0;
  wengert::faults::Mode mode = wengert::faults::Mode::kOne;
  bool failed = false;
};
thread_local State t_faults;
std::atomic<std::int64_t> g_live{0};

/// Counts a request; whether it is to fail.
bool fails() {
  if (t_faults.failing == 0) return false;
  const std::int64_t n = ++t_faults.requests;
  const bool chosen =
      t_faults.mode == wengert::faults::Mode::kOne ? n == t_faults.failing : n >= t_faults.failing;
  t_faults.failed |= chosen;
  return chosen;
}

void* take(std::size_t count, std::size_t alignment) {
  if (fails()) return nullptr;
  void* block = alignment == 0 ? std::malloc(count == 0 ? 1 : count) : nullptr;
  if (alignment != 0 && ::posix_memalign(&block, alignment, count) != 0) return nullptr;
  if (block != nullptr) ++g_live;
  return block;
}

void* take_or_throw(std::size_t count, std::size_t alignment) {
  void* block = take(count, alignment);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

void give(void* block) noexcept {
  if (block != nullptr) --g_live;
  std::free(block);
}

}  // namespace

// Defined in the program, these also serve the library's calls.
#if !WENGERT_ADDRESS_SANITIZER && !WENGERT_THREAD_SANITIZER
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t count) noexcept {
  using Function = void* (*)(std::size_t, std::size_t);
  static const auto original = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "aligned_alloc"));
  return fails() ? nullptr : original(alignment, count);
}
#endif

[[gnu::noinline]] void* operator new(std::size_t count) { return take_or_throw(count, 0); }
[[gnu::noinline]] void* operator new(std::size_t count, const std::nothrow_t&) noexcept {
  return take(count, 0);
}
[[gnu::noinline]] void* operator new(std::size_t count, std::align_val_t alignment) {
  return take_or_throw(count, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* block) noexcept { give(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept { give(block); }
[[gnu::noinline]] void operator delete(void* block, const std::nothrow_t&) noexcept { give(block); }
[[gnu::noinline]] void operator delete(void* block, std::align_val_t) noexcept { give(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
  give(block);
}

namespace wengert::faults {

void arm(std::int64_t n, Mode mode) {
  t_faults.requests = 0;
  t_faults.failing = n;
  t_faults.mode = mode;
  t_faults.failed = false;
}

bool disarm() {
  t_faults.failing = 0;
  return t_faults.failed;
}

std::int64_t requests() { return t_faults.requests; }

std::int64_t live_blocks() { return g_live; }

}  // namespace wengert::faults
