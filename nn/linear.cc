#include "wengert/nn/linear.h"

#include <functional>
#include <string>

#include "wengert/nn/linear_with.h"
#include "wengert/ops/ops.h"

namespace wengert {
namespace {

[[noreturn]] void fail(ErrorKind kind, std::string message, std::string fix,
                       std::source_location where) {
  throw Error({.kind = kind,
               .op = "linear",
               .message = std::move(message),
               .scope = Scope::path(),
               .file = where.file_name(),
               .line = where.line(),
               .fix = std::move(fix),
               .users_line = true});
}

}  // namespace

Var linear(ParameterSet& parameters, const ScopeName& name, const Var& x, std::int64_t outputs,
           const LinearOptions& options, std::source_location where) {
  return detail::linear_with(parameters, name, x, outputs, options, {}, where);
}

Var detail::linear_with(ParameterSet& parameters, const ScopeName& name, const Var& x,
                        std::int64_t outputs, const LinearOptions& options,
                        const std::function<Var(const Var&)>& change, std::source_location where) {
  const Scope scope(name);
  if (outputs < 1) {
    fail(ErrorKind::kShape, std::to_string(outputs) + " outputs", "a layer has at least one",
         where);
  }
  if (x.rank() < 1) {
    fail(ErrorKind::kShape, "the input is a scalar " + to_string(x.dtype(), x.shape()),
         "give it [batch, features]", where);
  }
  if (!is_floating(x.dtype())) {
    fail(ErrorKind::kDType, "the input is " + to_string(x.dtype(), x.shape()),
         "convert it with cast(x, DType::kFloat32)", where);
  }
  const Shape weight_shape{x.size(-1), outputs};
  static const OpDef& op = *find_op("linear");
  const Shape operands[] = {x.shape(), weight_shape};
  const Fans fans = fans_of(op, x.dtype(), operands, 1);
  Var weight = use(
      parameters.declare("weight", weight_shape, x.dtype(), options.weight, fans, where), where);
  if (change) weight = change(weight);
  if (!options.bias) return linear(x, weight, Var(), where);
  const Var bias =
      use(parameters.declare("bias", {outputs}, x.dtype(), options.bias_initializer, fans, where),
          where);
  return linear(x, weight, bias, where);
}

}  // namespace wengert
