#pragma once

// Private to the library.

#include "wengert/optim/option_visitors.h"
#include "wengert/optim/passes.h"

// What the file of a pass includes: the records of the table, and the way to define one.
namespace wengert::optim {
#define PASS(name, Class, touches, members) extern const PassDef name##_pass;
#include "wengert/optim/passes.def"
#undef PASS
}  // namespace wengert::optim

/// Defines the members of a class of the table and opens its record.
#define WENGERT_PASS(pass, Class)                                                      \
  Class::Class(Options options, ParameterFilter filter, std::source_location where)    \
      : TablePass(pass##_pass, std::move(filter), values_of<Class>(options), where) {} \
  constinit const PassDef pass##_pass
