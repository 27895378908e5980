#pragma once

// Private to the library.

#include "wengert/optim/method.h"

// The records of the table's methods, for their files and the registry.
namespace wengert::optim {
#define OPTIMIZER(name, Class, members) extern const MethodDef name##_method;
#include "wengert/optim/optimizers.def"
#undef OPTIMIZER
}  // namespace wengert::optim
