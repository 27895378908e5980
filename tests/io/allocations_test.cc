#include "wengert/tests/io/allocations.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "wengert/graph/storage.h"
#include "wengert/graph/tensor.h"
#include "wengert/tests/sanitizers.h"

namespace {

thread_local std::size_t t_allocated = 0;

}  // namespace

#if WENGERT_ADDRESS_SANITIZER

// The sanitizer owns the allocator, and calls back.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void*,
                                                                             std::size_t),
                                                         void (*free_hook)(const volatile void*));

namespace {
const bool g_hooked = __sanitizer_install_malloc_and_free_hooks(
                          [](const volatile void*, std::size_t count) { t_allocated += count; },
                          [](const volatile void*) {}) != 0;
}  // namespace

#else

// Defined in the program, these also serve the library's calls.
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t count) noexcept {
  using Function = void* (*)(std::size_t, std::size_t);
  static const auto original = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "aligned_alloc"));
  t_allocated += count;
  return original(alignment, count);
}

[[gnu::noinline]] void* operator new(std::size_t count) {
  t_allocated += count;
  if (void* block = std::malloc(count == 0 ? 1 : count)) return block;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* block) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept { std::free(block); }

namespace {
constexpr bool g_hooked = true;
}  // namespace

#endif

namespace wengert::io {

void start_counting_allocations() {
  detail::trim_storage();
  t_allocated = 0;
}

std::size_t allocated_bytes() { return t_allocated; }

namespace {

// The other tests rely on the counter: it must see both kinds of memory.
TEST(Allocations, AreCounted) {
  ASSERT_TRUE(g_hooked);
  start_counting_allocations();
  const auto block = std::make_unique<std::vector<char>>(10'000);
  EXPECT_GE(allocated_bytes(), 10'000u);
  EXPECT_LT(allocated_bytes(), 20'000u);
  start_counting_allocations();
  const Tensor tensor = Tensor::zeros({1'000'000}, DType::kUint8);
  EXPECT_GE(allocated_bytes(), 1'000'000u);
}

}  // namespace
}  // namespace wengert::io
