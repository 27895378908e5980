#pragma once

#include <source_location>
#include <utility>

#include "wengert/graph/thread_state.h"

// Where errors get the user's line from when they are thrown below the call.
// Private to the library.
namespace wengert::detail {

/// A public call of the user's at `where`: an Error that is made while it runs, and that brings no
/// full account of its own, names this line and the scope. The outermost call counts: what it calls
/// in turn stands in the library.
class CallSite {
 public:
  [[nodiscard]] explicit CallSite(std::source_location where) : outermost_(!t_state.in_call) {
    if (!outermost_) return;
    t_state.in_call = true;
    t_state.call_site = where;
  }
  ~CallSite() {
    if (outermost_) t_state.in_call = false;
  }
  CallSite(const CallSite&) = delete;
  CallSite& operator=(const CallSite&) = delete;

 private:
  bool outermost_;
};

/// The user's code inside a call (a model, a closure, an observer): its own calls count again.
class UserCode {
 public:
  [[nodiscard]] UserCode()
      : in_call_(std::exchange(t_state.in_call, false)), site_(t_state.call_site) {}
  ~UserCode() {
    t_state.in_call = in_call_;
    t_state.call_site = site_;
  }
  UserCode(const UserCode&) = delete;
  UserCode& operator=(const UserCode&) = delete;

 private:
  bool in_call_;
  std::source_location site_;
};

}  // namespace wengert::detail
