#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/error.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/pass.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

// What the tests of optimizers, passes and training share.
namespace wengert::optim {

/// The bytes of every parameter, in order of creation.
inline std::string bytes_of(const ParameterSet& parameters) {
  std::string bytes;
  for (const Parameter* parameter : parameters.all()) {
    const Tensor value = parameter->value().contiguous();
    bytes.append(reinterpret_cast<const char*>(value.data()),
                 static_cast<std::size_t>(value.element_count()) * size_of(value.dtype()));
  }
  return bytes;
}

/// Gradients of Σ cᵢ·θᵢ, which are the tensors cᵢ: a way to hand any gradient to an optimizer.
inline Gradients gradients_equal_to(ParameterSet& parameters,
                                    const std::vector<std::pair<std::string, Tensor>>& wanted) {
  const Tape tape;
  Var total;
  for (const auto& [name, gradient] : wanted) {
    const Var part = sum(use(parameters.at(name)) * Var(gradient));
    total = total.has_value() ? total + part : part;
  }
  return backward(total);
}

/// The error that `body` throws; fails the test when there is none.
template <class Body>
Error error_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return {ErrorKind::kInternal, "none", "none"};
}

inline bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A pass made of a function.
class FunctionPass : public Pass {
 public:
  using Function = std::function<bool(Roots&, PassContext&)>;
  FunctionPass(PassStage stage, Function function)
      : stage_(stage), function_(std::move(function)) {}
  std::string_view name() const override { return "function"; }
  PassStage stage() const override { return stage_; }

 private:
  bool rewrite(Roots& roots, PassContext& context) override { return function_(roots, context); }
  PassStage stage_;
  Function function_;
};

}  // namespace wengert::optim
