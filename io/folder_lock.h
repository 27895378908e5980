#pragma once

#include <string>

#include "wengert/graph/api.h"

namespace wengert::io {

/// A folder that one program has for itself, a training run's for instance: as long as the object
/// lives, others that ask for the same folder are refused, in this process too. The system gives
/// the lock back when the program ends, however it does; nothing is written into the folder.
/// Programs that do not ask are not kept out. On file systems without locks (some network ones)
/// everybody gets it.
class WENGERT_API FolderLock {
 public:
  /// Throws IoError when somebody else has it, naming the process where the system tells, or after
  /// a second where it does not; when the folder is missing or cannot be read.
  explicit FolderLock(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  FolderLock() = default;
  int file_ = -1;
  int owner_ = 0;  ///< the process that has the lock
};

}  // namespace wengert::io
