// System calls that can be refused. Defined in the program, these also serve the library's calls
// and those that the C++ library makes for it.
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "wengert/tests/memory/faults.h"

using wengert::faults::Call;
using wengert::faults::fails;

// What stands behind a function defined here.
#define ORIGINAL(name) \
  static const auto original = reinterpret_cast<decltype(&::name)>(::dlsym(RTLD_NEXT, #name))

// A call that gives −1 and errno.
#define FAULTY(call, result, name, parameters, arguments, exceptions) \
  result name parameters exceptions {                                 \
    ORIGINAL(name);                                                   \
    return fails(Call::call) ? -1 : original arguments;               \
  }

// A call that gives the error.
#define FAULTY_CODE(call, name, parameters, arguments, exceptions) \
  int name parameters exceptions {                                 \
    ORIGINAL(name);                                                \
    return fails(Call::call) ? errno : original arguments;         \
  }

extern "C" {

FAULTY(kRead, ssize_t, read, (int file, void* bytes, std::size_t count), (file, bytes, count), )
FAULTY(kWrite, ssize_t, write, (int file, const void* bytes, std::size_t count),
       (file, bytes, count), )
FAULTY(kRename, int, rename, (const char* from, const char* to), (from, to), noexcept)
FAULTY(kExamine, int, stat, (const char* path, struct stat* status), (path, status), noexcept)
FAULTY(kExamine, int, lstat, (const char* path, struct stat* status), (path, status), noexcept)
FAULTY(kExamine, int, fstat, (int file, struct stat* status), (file, status), noexcept)
FAULTY(kSeek, off_t, lseek, (int file, off_t offset, int from), (file, offset, from), noexcept)
FAULTY(kLock, int, flock, (int file, int operation), (file, operation), noexcept)
FAULTY(kPermissions, int, fchmod, (int file, mode_t mode), (file, mode), noexcept)
FAULTY(kMakeFolder, int, mkdir, (const char* path, mode_t mode), (path, mode), noexcept)
FAULTY(kHugePages, int, madvise, (void* block, std::size_t count, int advice),
       (block, count, advice), noexcept)
FAULTY(kMemoryFile, int, memfd_create, (const char* name, unsigned flags), (name, flags), noexcept)
FAULTY(kPipe, int, pipe2, (int* ends, int flags), (ends, flags), noexcept)
FAULTY(kPoll, int, poll, (pollfd * files, nfds_t count, int timeout), (files, count, timeout), )
FAULTY(kWait, pid_t, waitpid, (pid_t child, int* status, int options), (child, status, options), )

FAULTY_CODE(kThread, pthread_create,
            (pthread_t * thread, const pthread_attr_t* attributes, void* (*body)(void*),
             void* argument),
            (thread, attributes, body, argument), noexcept)
FAULTY_CODE(kThreadKey, pthread_setspecific, (pthread_key_t key, const void* value), (key, value),
            noexcept)
FAULTY_CODE(kProcess, posix_spawnp,
            (pid_t * child, const char* program, const posix_spawn_file_actions_t* actions,
             const posix_spawnattr_t* attributes, char* const* arguments, char* const* environment),
            (child, program, actions, attributes, arguments, environment), )
FAULTY_CODE(kProcessFiles, posix_spawn_file_actions_init, (posix_spawn_file_actions_t * actions),
            (actions), noexcept)
FAULTY_CODE(kProcessFiles, posix_spawn_file_actions_adddup2,
            (posix_spawn_file_actions_t * actions, int file, int as), (actions, file, as), noexcept)

int open(const char* path, int flags, ...) {
  ORIGINAL(open);
  std::va_list list;
  va_start(list, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0;
  va_end(list);
  return fails(Call::kOpen) ? -1 : original(path, flags, mode);
}

// As the system does it, a failing close closes all the same.
int close(int file) {
  ORIGINAL(close);
  const int result = original(file);
  return fails(Call::kClose) ? -1 : result;
}

// Nobody pulls the plug here: what is not yet on the disk need not be waited for.
int fsync(int) { return fails(Call::kSync) ? -1 : 0; }

char* realpath(const char* path, char* resolved) noexcept {
  ORIGINAL(realpath);
  return fails(Call::kResolve) ? nullptr : original(path, resolved);
}

}  // extern "C"
