#include "wengert/nn/dropout.h"

namespace wengert {

Var dropout(ParameterSet& parameters, const ScopeName& name, const Var& x, double p,
            std::source_location where) {
  RandomStream& stream = parameters.stream(name.text, where);
  const Scope scope(name, where);
  return dropout(x, p, stream, where);
}

}  // namespace wengert
