#include "wengert/autodiff/custom_gradient.h"

#include <string>

#include "wengert/autodiff/users_code.h"
#include "wengert/graph/buffer.h"
#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/op.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/thread_state.h"

namespace wengert {
namespace {

constexpr const char* kOp = "custom_gradient";

/// What a node of this kind remembers; the tape owns it.
struct Stated {
  detail::CustomGradient functions;
  detail::ComputedOutputs computed;  ///< what forward gave
  std::source_location where;        ///< the call
};

struct CustomGradientAttributes {
  Stated* stated;
  std::string_view name;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    if (!self.name.empty()) v("name", self.name);
  }
};

std::string named(std::string_view name) {
  return name.empty() ? std::string() : " of '" + std::string(name) + "'";
}

std::string counted(std::size_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

/// An error that `backward` makes: the line is that of the call which stated it.
[[noreturn]] void fail(const CustomGradientAttributes& attributes, ErrorKind kind,
                       std::string message, std::string fix) {
  const std::source_location where = attributes.stated->where;
  throw Error({.kind = kind,
               .op = kOp,
               .message = "backward" + named(attributes.name) + " " + std::move(message),
               .scope = Scope::path(),
               .file = where.file_name(),
               .line = where.line(),
               .fix = std::move(fix),
               .users_line = true});
}

void infer_custom(InferContext& call) {
  call.attributes<CustomGradientAttributes>().stated->computed.infer(call);
}

std::vector<Var> run_forward(const detail::CustomGradient& f, std::span<const Var> x) {
  const detail::AsTheUser users;
  std::vector<Var> y;
  f.forward(f.functions.get(), x, y);
  return y;
}

void evaluate_custom(EvalContext& call) {
  Stated& stated = *call.attributes<CustomGradientAttributes>().stated;
  if (stated.computed.are_taken()) {  // gradcheck looks at this node alone
    const Tape scratch;
    detail::ComputedOutputs again;
    again.take(run_forward(stated.functions, detail::constants_of(call)), kOp);
    again.evaluate(call);
    return;
  }
  stated.computed.evaluate(call);
}

/// Fails unless a gradient is of the input's dtype and shape, or a number.
void check_fit(const CustomGradientAttributes& attributes, int i, const Var& input,
               const Var& gradient) {
  const bool number = gradient.get()->has(detail::Value::kWeak);
  const bool same_dtype = number || gradient.dtype() == input.dtype();
  if (same_dtype && (number || gradient.shape() == input.shape())) return;
  fail(attributes, same_dtype ? ErrorKind::kShape : ErrorKind::kDType,
       "gives input " + std::to_string(i) + ", " + to_string(input.dtype(), input.shape()) +
           ", the gradient " + to_string(gradient.dtype(), gradient.shape()),
       same_dtype ? "a gradient has its input's shape: sum what was broadcast"
                  : "cast it to the input's dtype");
}

void differentiate_custom(VjpContext& c) {
  const auto& attributes = c.attributes<CustomGradientAttributes>();
  const Stated& stated = *attributes.stated;
  std::vector<Var> inputs, outputs, cotangents, gradients;
  for (int i = 0; i < c.input_count(); ++i) inputs.push_back(c.input(i));
  for (std::size_t k = 0; k < stated.computed.outputs.size(); ++k) {
    const int place = static_cast<int>(k);
    outputs.push_back(c.output(place));
    cotangents.push_back(c.cotangent(place));
    if (cotangents[k].has_value()) continue;
    cotangents[k] = Tensor::zeros(outputs[k].shape(), outputs[k].dtype());
  }
  {
    const detail::AsTheUser users;
    const auto& [functions, forward, backward] = stated.functions;
    backward(functions.get(), inputs, outputs, cotangents, gradients);
  }
  if (gradients.size() != inputs.size()) {
    fail(attributes, ErrorKind::kValue,
         "gives " + counted(gradients.size(), "gradient") + " for " +
             counted(inputs.size(), "input"),
         "give one for each input, an empty Var where it is zero");
  }
  for (int i = 0; i < c.input_count(); ++i) {
    Var& gradient = gradients[static_cast<std::size_t>(i)];
    if (!gradient.has_value() || !c.needs(i)) continue;
    check_fit(attributes, i, inputs[static_cast<std::size_t>(i)], gradient);
    c.set(i, std::move(gradient));
  }
}

/// Fails where forward used a variable or parameter that is not among the inputs, which came as
/// constants.
void refuse_captured(const Tape& scratch, std::string_view name) {
  if (scratch.trained_leaves() == 0) return;
  for (std::uint32_t id = 0; id < scratch.size(); ++id) {
    const detail::Node& node = scratch.node(id);
    if (node.input_count > 0 || !node.value->has(detail::Value::kRequiresGrad)) continue;
    const Parameter* parameter = scratch.parameter(id);
    std::string what = parameter != nullptr
                           ? "parameter '" + parameter->name() + "'"
                           : "a variable " + to_string(scratch.dtype(id), scratch.shape(id));
    what += " (" + std::string(base_name(node.where.file_name())) + ":" +
            std::to_string(node.where.line()) + ")";
    throw Error(ErrorKind::kGraph, kOp,
                "forward" + named(name) + " uses " + what +
                    ", which is not among the inputs: no gradient would reach it",
                "add it to the inputs, or use its value()");
  }
}

}  // namespace

namespace ops {

constinit const OpDef custom_gradient_op = {
    .name = kOp,
    .doc = {.summary = "A function of its inputs with a derivative of the caller's own.",
            .formula = "y = forward(x)",
            .arguments = "any tensors; made by custom_gradient(forward, backward, inputs)",
            .gradient = "backward(x, y, dy)",
            .source = "R. E. Wengert, A simple automatic derivative evaluation program, 1964"},
    .min_inputs = 0,
    .max_inputs = -1,
    .differentiable = kAllInputs,
    .reads = {kReadsAllInputs | kReadsOutputs, kReadsAllInputs | kReadsOutputs,
              kReadsAllInputs | kReadsOutputs, kReadsAllInputs | kReadsOutputs},
    .infer = infer_custom,
    .evaluate = evaluate_custom,
    .vjp = differentiate_custom,
    .attributes = &attribute_type<CustomGradientAttributes>,
    .bound_to_tape = true,
};

}  // namespace ops

std::vector<Var> detail::custom_gradient(CustomGradient f, std::span<const Var> inputs,
                                         std::string_view name, std::source_location where) {
  const CallSite site(where);
  require_inputs(inputs, kOp);
  Tape* tape = Tape::current();
  if (tape == nullptr || t_state.recording_off > 0) return run_forward(f, inputs);
  auto stated = std::make_shared<Stated>();
  stated->where = where;
  {
    Tape scratch;  // of constants: what gradients would flow to comes from elsewhere
    std::vector<Var> constants;
    for (const Var& input : inputs) {
      const bool number = input.get()->has(Value::kWeak);
      constants.push_back(number ? input : Var(input.value()));
    }
    const std::vector<Var> outputs = run_forward(f, constants);
    refuse_captured(scratch, name);
    stated->computed.take(outputs, kOp);
    tape->take_updates(scratch.updates());
  }
  stated->functions = std::move(f);
  std::vector<const Var*> all;
  for (const Var& input : inputs) all.push_back(&input);
  const CustomGradientAttributes attributes{stated.get(), name};
  tape->own(std::move(stated));
  return apply_multiple(ops::custom_gradient_op, all, &attributes, where);
}

}  // namespace wengert
