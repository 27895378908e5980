#include "wengert/tests/memory/faults.h"

#include <atomic>
#include <cerrno>

namespace wengert::faults {
namespace {

// One fault is armed at a time; the call is written last and read first.
constexpr int kNone = -1;
std::atomic<int> g_call{kNone};
std::atomic<bool> g_every_thread{false}, g_all_later{false}, g_failed{false};
std::atomic<int> g_code{0};
std::atomic<std::int64_t> g_failing{0}, g_requests{0};
thread_local bool t_armed = false;

}  // namespace

void arm(const Fault& fault, std::int64_t n) {
  t_armed = true;
  g_every_thread = fault.whose == Whose::kEveryThread;
  g_all_later = fault.mode == Mode::kFrom;
  g_code = fault.code;
  g_failing = n;
  g_requests = 0;
  g_failed = false;
  g_call = static_cast<int>(fault.call);
}

bool disarm() {
  g_call = kNone;
  t_armed = false;
  return g_failed;
}

std::int64_t requests() { return g_requests; }

bool fails(Call call) {
  if (g_call.load(std::memory_order_acquire) != static_cast<int>(call)) return false;
  if (!t_armed && !g_every_thread) return false;
  const std::int64_t n = ++g_requests;
  if (g_all_later ? n < g_failing : n != g_failing) return false;
  g_failed = true;
  errno = g_code;
  return true;
}

}  // namespace wengert::faults
