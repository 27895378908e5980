#pragma once

#include <cstdint>

namespace wengert::faults {

/// What the system may refuse to do.
enum class Call {
  kMemory,   ///< operator new and, but for sanitizers, the library's own pools
  kCMemory,  ///< malloc, calloc, realloc, but for sanitizers
  kThread,
  kThreadKey,
  kHugePages,
  kOpen,
  kRead,
  kWrite,
  kSync,
  kRename,
  kClose,
  kExamine,  ///< stat and its like
  kSeek,
  kLock,
  kPermissions,
  kMakeFolder,
  kResolve,  ///< symbolic links
  kMemoryFile,
  kPipe,
  kProcess,
  kProcessFiles,  ///< what a new process is told about its files
  kPoll,
  kWait,
};

/// Which requests fail.
enum class Mode {
  kOne,   ///< the n-th
  kFrom,  ///< that one and all later ones, until disarm()
};

/// Whose requests count.
enum class Whose { kThisThread, kEveryThread };

struct Fault {
  Call call = Call::kMemory;
  Mode mode = Mode::kOne;
  int code = 0;  ///< errno
  Whose whose = Whose::kThisThread;
};

/// From here on the `n`-th request of that kind fails, n from 1.
void arm(const Fault& fault, std::int64_t n);

/// Ends it; whether a request failed.
bool disarm();

/// Requests that counted since arm().
std::int64_t requests();

/// Counts a request; whether it is to fail, errno then says why. For what stands in for the system.
bool fails(Call call);

/// Blocks of operator new that are out, of all threads.
std::int64_t live_blocks();

}  // namespace wengert::faults
