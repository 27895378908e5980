#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/normalization/row_norm.h"

namespace wengert {
namespace ops {

constinit const OpDef layer_norm_op = row_norm<true>(
    "layer_norm", 3,
    {.summary = "Each example normalized by the mean and variance of its own last axes.",
     .formula = "y = x̂·gain + bias, x̂ = (x − μ)/√(σ² + ε), μ and σ² (divided by n) of the n "
                "elements of the axes from first_axis on",
     .arguments = "x: float32 or float64, rank ≥ 1; gain and bias: of those axes' shape and x's "
                  "dtype, both or the bias alone may be left out; first_axis: negative from the "
                  "back; 1e-30 ≤ ε ≤ 1e30",
     .gradient = "with h = g·gain: ∂x = (h − mean h − x̂·mean(h·x̂))/√(σ² + ε), ∂gain = Σ g·x̂, "
                 "∂bias = Σ g over the rows",
     .source = "J. Ba, J. Kiros, G. Hinton, Layer normalization, 2016"});

}  // namespace ops

Var layer_norm(const Var& x, const Var& gain, const Var& bias, int first_axis, double epsilon,
               std::source_location where) {
  return apply(ops::layer_norm_op, {&x, &gain, &bias}, ops::RowNormAttributes{first_axis, epsilon},
               where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/normalization/row_norm_tests.h"

WENGERT_OP_TESTS(layer_norm) {
  using namespace wengert;
  OpTests tests = row_norm_tests(
      [](std::span<const Var> x, int first_axis, double epsilon) {
        return layer_norm(x[0], operand_or_none(x, 1), operand_or_none(x, 2), first_axis, epsilon);
      },
      true, 3);
  tests.rejected.push_back({"bias alone",
                            [] {
                              (void)layer_norm(Tensor::zeros({4, 3}), {}, Tensor::zeros({3}));
                            },
                            ErrorKind::kShape, "a bias without a gain"});
  return tests;
}
#endif
