#include "wengert/autodiff/hooks.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/kept_by_thread.h"

namespace wengert {
namespace {

struct Hook {
  std::uint32_t serial;
  std::uint32_t node;
  void* callable;  ///< the tape's
  void (*call)(void*, const Gradient&);
};

using Hooks = std::vector<Hook>;

Hooks& hooks_of_thread() { return detail::kept_by_thread<Hooks, detail::Kept::kHooks>(); }

}  // namespace

bool has_hooks(const Tape& tape) {
  const Hooks& hooks = hooks_of_thread();
  return std::any_of(hooks.begin(), hooks.end(),
                     [&](const Hook& hook) { return hook.serial == tape.serial(); });
}

void run_hooks(const Tape& tape, std::uint32_t id, const Gradient& cotangent) {
  const Hooks& hooks = hooks_of_thread();
  for (std::size_t i = 0; i < hooks.size(); ++i) {  // a hook may add hooks
    const Hook hook = hooks[i];
    if (hook.serial == tape.serial() && hook.node == id) {
      const detail::UserCode users;
      hook.call(hook.callable, cotangent);
    }
  }
}

void detail::on_gradient(std::string_view name, GradientHook hook, std::source_location where) {
  const CallSite site(where);
  Tape* tape = Tape::current();
  if (tape == nullptr) {
    throw Error(ErrorKind::kGraph, "on_gradient", "no tape is live",
                "call it between the tape's construction and backward");
  }
  const std::uint32_t node = tape->find(name);
  if (node == detail::kNoNode) {
    throw Error(ErrorKind::kParameter, "on_gradient",
                "no value named '" + std::string(name) + "' on this tape",
                "name it with Tape::name, or use the parameter first");
  }
  Hooks& hooks = hooks_of_thread();
  std::erase_if(hooks, [tape](const Hook& known) {  // those of tapes that ended
    for (const Tape* live = tape; live != nullptr; live = live->enclosing()) {
      if (live->serial() == known.serial) return false;
    }
    return true;
  });
  hooks.push_back({tape->serial(), node, hook.callable.get(), hook.call});
  try {
    tape->own(std::move(hook.callable));
  } catch (...) {
    hooks.pop_back();
    throw;
  }
}

}  // namespace wengert
