#include "wengert/graph/tape.h"

// The leaves of every graph: records without inputs, made by the tape itself.
namespace wengert::detail {
namespace {

void infer_source(InferContext& call) {
  call.fail(ErrorKind::kInternal, "leaves are made by the tape, not applied");
}

constexpr OpDef source(std::string_view name, Documentation doc) {
  OpDef op;
  op.name = name;
  op.doc = doc;
  op.min_inputs = op.max_inputs = 0;
  op.infer = infer_source;
  op.structural = true;
  return op;
}

}  // namespace

constinit const OpDef variable_op =
    source("variable",
           {.summary = "A differentiable input of the graph.",
            .formula = "y = value",
            .arguments = "value: a floating Tensor or number",
            .gradient = "collected here",
            .source = "R. E. Wengert, A simple automatic derivative evaluation program, 1964"});
constinit const OpDef parameter_op =
    source("parameter",
           {.summary = "A named, trained tensor.",
            .formula = "y = value",
            .arguments = "a Parameter of a ParameterSet",
            .gradient = "collected here, by name",
            .source = "R. E. Wengert, A simple automatic derivative evaluation program, 1964"});

constinit const OpDef buffer_op = source(
    "buffer", {.summary = "A named tensor that is not trained: a running statistic, a counter.",
               .formula = "y = value",
               .arguments = "a Buffer of a ParameterSet",
               .gradient = "none: a buffer is a constant of the graph",
               .source = "R. E. Wengert, A simple automatic derivative evaluation program, 1964"});

constinit const OpDef absent_op =
    source("absent", {.summary = "Stands where a call leaves an operand out.",
                      .formula = "none",
                      .arguments = "none",
                      .gradient = "none",
                      .source = "ONNX IR specification, optional inputs"});

}  // namespace wengert::detail

namespace wengert::ops {

constinit const OpDef constant_op = detail::source(
    "constant",
    {.summary = "A value without gradient, taken from a tensor or a number.",
     .formula = "y = value",
     .arguments = "value: a Tensor of any dtype and shape, or a C++ number",
     .gradient = "none: no gradient flows into a constant",
     .source = "R. E. Wengert, A simple automatic derivative evaluation program, 1964"});

}  // namespace wengert::ops
