#pragma once

#include <dirent.h>
#include <pthread.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <stdexcept>

#include "wengert/tests/sanitizers.h"

// What the operating system says about this process, and small stacks.
namespace wengert {

#if WENGERT_ADDRESS_SANITIZER || WENGERT_THREAD_SANITIZER
/// Sanitizers keep freed memory and shadow every byte: counts of memory mean nothing there.
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

/// Bytes of memory that this process occupies: counted page by page, where statm's number lags.
inline std::int64_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/smaps_rollup", "r");
  if (file == nullptr) throw std::runtime_error("no /proc/self/smaps_rollup");
  char line[256];
  long long kibibytes = -1;
  while (kibibytes < 0 && std::fgets(line, sizeof line, file) != nullptr) {
    if (std::sscanf(line, "Rss: %lld kB", &kibibytes) != 1) kibibytes = -1;
  }
  std::fclose(file);
  if (kibibytes < 0) throw std::runtime_error("cannot read /proc/self/smaps_rollup");
  return kibibytes * 1024;
}

/// How many files it has open.
inline int open_files() {
  int count = 0;
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) throw std::runtime_error("no /proc/self/fd");
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

/// Whether a child of it runs or waits to be asked for its status, which is then asked.
inline bool has_children() { return ::waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD; }

/// Runs `body` on a thread with a stack of `bytes` and rethrows what it throws.
inline void with_stack(std::size_t bytes, const std::function<void()>& body) {
  struct Call {
    const std::function<void()>& body;
    std::exception_ptr error;
  } call{body, nullptr};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  if (pthread_attr_setstacksize(&attributes, bytes) != 0) {
    pthread_attr_destroy(&attributes);
    throw std::runtime_error("this stack size is not allowed");
  }
  pthread_t thread;
  const int error = pthread_create(
      &thread, &attributes,
      [](void* argument) -> void* {
        auto* made = static_cast<Call*>(argument);
        try {
          made->body();
        } catch (...) {
          made->error = std::current_exception();
        }
        return nullptr;
      },
      &call);
  pthread_attr_destroy(&attributes);
  if (error != 0) throw std::runtime_error("cannot start a thread");
  pthread_join(thread, nullptr);
  if (call.error) std::rethrow_exception(call.error);
}

}  // namespace wengert
