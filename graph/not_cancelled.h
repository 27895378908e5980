#pragma once

#include <pthread.h>

// Private to the library.
namespace wengert::detail {

/// While it lives a pthread_cancel of the calling thread waits: where something would be left half
/// done, and in destructors, which a cancellation must not leave.
class NotCancelled {
 public:
  NotCancelled() { ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  ~NotCancelled() { ::pthread_setcancelstate(before_, nullptr); }
  NotCancelled(const NotCancelled&) = delete;
  NotCancelled& operator=(const NotCancelled&) = delete;

 private:
  int before_ = PTHREAD_CANCEL_ENABLE;
};

}  // namespace wengert::detail
