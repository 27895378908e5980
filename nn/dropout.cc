#include "wengert/nn/dropout.h"

#include "wengert/nn/linear_with.h"

namespace wengert {

Var dropout(ParameterSet& parameters, const ScopeName& name, const Var& x, double p,
            std::source_location where) {
  RandomStream& stream = parameters.stream(name.text, where);
  const Scope scope(name, where);
  return dropout(x, p, stream, where);
}

Var classic_dropout(ParameterSet& parameters, const ScopeName& name, const Var& x, double p,
                    std::source_location where) {
  RandomStream& stream = parameters.stream(name.text, where);
  const Scope scope(name, where);
  return classic_dropout(x, p, stream, where);
}

Var held_dropout(ParameterSet& parameters, const ScopeName& name, const Var& x, double p,
                 std::int64_t calls, std::source_location where) {
  RandomStream& stream = parameters.stream(name.text, where);
  const Scope scope(name, where);
  return held_dropout(x, p, stream, calls, where);
}

Var spatial_dropout(ParameterSet& parameters, const ScopeName& name, const Var& x, double p,
                    int axis, std::source_location where) {
  RandomStream& stream = parameters.stream(name.text, where);
  const Scope scope(name, where);
  return spatial_dropout(x, p, stream, axis, where);
}

Var stochastic_depth(ParameterSet& parameters, const ScopeName& name, const Var& x, double p,
                     std::source_location where) {
  RandomStream& stream = parameters.stream(name.text, where);
  const Scope scope(name, where);
  return stochastic_depth(x, p, stream, where);
}

Var alpha_dropout(ParameterSet& parameters, const ScopeName& name, const Var& x, double p,
                  std::source_location where) {
  RandomStream& stream = parameters.stream(name.text, where);
  const Scope scope(name, where);
  return alpha_dropout(x, p, stream, where);
}

Var drop_connect(ParameterSet& parameters, const ScopeName& name, const Var& x,
                 std::int64_t outputs, double p, const LinearOptions& options,
                 std::source_location where) {
  RandomStream& stream = parameters.stream(name.text, where);
  return detail::linear_with(
      parameters, name, x, outputs, options,
      [&](const Var& weight) { return dropout(weight, p, stream, where); }, where);
}

}  // namespace wengert
