#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

#include "wengert/graph/api.h"

namespace wengert::kernels {

/// Calls body(context, task) once for each task in [0, tasks), on the calling thread and on the
/// pool's, and returns when all are done. The order is unspecified; tasks <= 0 does nothing.
///
/// Split work by the size of the problem, never by thread_count(): then results have the same bits
/// at any number of threads. A call from inside a task, or while another thread's call has the
/// pool, runs on the calling thread alone.
///
/// When tasks throw, the exception of the lowest throwing task is rethrown here; tasks above it may
/// be skipped. Tasks run with the caller's floating-point control word (rounding, FTZ, DAZ).
void parallel_for(std::int64_t tasks, void (*body)(void* context, std::int64_t task),
                  void* context);

/// The same for any callable body(task), which is shared by all threads and not copied.
template <typename Body>
void parallel_for(std::int64_t tasks, Body&& body) {
  using Callable = std::remove_reference_t<Body>;
  parallel_for(
      tasks, [](void* context, std::int64_t task) { (*static_cast<Callable*>(context))(task); },
      const_cast<void*>(static_cast<const volatile void*>(std::addressof(body))));
}

/// Sets how many threads a parallel_for may use, the caller included (at most 1024). Threads start
/// at the first call that needs them; surplus ones end at the next that uses the pool. count <= 0
/// restores the default. Safe at any time, from any thread.
WENGERT_API void set_thread_count(int count);

/// The number in force: by default the environment variable WENGERT_NUM_THREADS if that is a
/// number from 1 to 1024, otherwise the number of hardware threads.
WENGERT_API int thread_count();

}  // namespace wengert::kernels
