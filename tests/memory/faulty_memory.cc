// Memory that can be refused. Defined in the program, these also serve the library's calls.
#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "wengert/tests/memory/faults.h"
#include "wengert/tests/sanitizers.h"

#if !WENGERT_ADDRESS_SANITIZER && !WENGERT_THREAD_SANITIZER
extern "C" {
void* __libc_malloc(std::size_t count) noexcept;
void* __libc_calloc(std::size_t count, std::size_t size) noexcept;
void* __libc_realloc(void* block, std::size_t count) noexcept;
}
#endif

namespace {

using wengert::faults::Call;
using wengert::faults::fails;

std::atomic<std::int64_t> g_live{0};

void* system_memory(std::size_t count) {
#if !WENGERT_ADDRESS_SANITIZER && !WENGERT_THREAD_SANITIZER
  return __libc_malloc(count);
#else
  return std::malloc(count);
#endif
}

void* take(std::size_t count, std::size_t alignment) {
  if (fails(Call::kMemory)) return nullptr;
  void* block = alignment == 0 ? system_memory(count == 0 ? 1 : count) : nullptr;
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

#if !WENGERT_ADDRESS_SANITIZER && !WENGERT_THREAD_SANITIZER
extern "C" {
void* malloc(std::size_t count) noexcept {
  return fails(Call::kCMemory) ? nullptr : __libc_malloc(count);
}
void* calloc(std::size_t count, std::size_t size) noexcept {
  return fails(Call::kCMemory) ? nullptr : __libc_calloc(count, size);
}
void* realloc(void* block, std::size_t count) noexcept {
  return fails(Call::kCMemory) ? nullptr : __libc_realloc(block, count);
}
void* aligned_alloc(std::size_t alignment, std::size_t count) noexcept {
  using Function = void* (*)(std::size_t, std::size_t);
  static const auto original = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "aligned_alloc"));
  return fails(Call::kMemory) ? nullptr : original(alignment, count);
}
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

std::int64_t live_blocks() { return g_live; }

}  // namespace wengert::faults
