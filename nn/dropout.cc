#include "wengert/nn/dropout.h"

#include "wengert/nn/linear_with.h"

namespace wengert {
namespace {

/// call(stream) inside Scope(name), with the set's stream of that name.
template <class Call>
Var drawn(ParameterSet& parameters, const ScopeName& name, std::source_location where,
          const Call& call) {
  RandomStream& stream = parameters.stream(name.text, where);
  const Scope scope(name, where);
  return call(stream);
}

}  // namespace

Var dropout(ParameterSet& parameters, const ScopeName& name, const Var& x, double p,
            std::source_location where) {
  return drawn(parameters, name, where,
               [&](RandomStream& stream) { return dropout(x, p, stream, where); });
}

Var classic_dropout(ParameterSet& parameters, const ScopeName& name, const Var& x, double p,
                    std::source_location where) {
  return drawn(parameters, name, where,
               [&](RandomStream& stream) { return classic_dropout(x, p, stream, where); });
}

Var held_dropout(ParameterSet& parameters, const ScopeName& name, const Var& x, double p,
                 std::int64_t calls, std::source_location where) {
  return drawn(parameters, name, where,
               [&](RandomStream& stream) { return held_dropout(x, p, stream, calls, where); });
}

Var spatial_dropout(ParameterSet& parameters, const ScopeName& name, const Var& x, double p,
                    int axis, std::source_location where) {
  return drawn(parameters, name, where,
               [&](RandomStream& stream) { return spatial_dropout(x, p, stream, axis, where); });
}

Var stochastic_depth(ParameterSet& parameters, const ScopeName& name, const Var& x, double p,
                     std::source_location where) {
  return drawn(parameters, name, where,
               [&](RandomStream& stream) { return stochastic_depth(x, p, stream, where); });
}

Var alpha_dropout(ParameterSet& parameters, const ScopeName& name, const Var& x, double p,
                  std::source_location where) {
  return drawn(parameters, name, where,
               [&](RandomStream& stream) { return alpha_dropout(x, p, stream, where); });
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
