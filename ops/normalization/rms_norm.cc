#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/normalization/row_norm.h"

namespace wengert {
namespace ops {

constinit const OpDef rms_norm_op = row_norm<false>(
    "rms_norm", 2,
    {.summary = "Each example divided by the root mean square of its own last axes.",
     .formula = "y = x̂·gain, x̂ = x/√(mean x² + ε) over the axes from first_axis on",
     .arguments = "x: float32 or float64, rank ≥ 1; gain: of those axes' shape and x's dtype, or "
                  "left out; first_axis: negative from the back; 1e-30 ≤ ε ≤ 1e30",
     .gradient = "with h = g·gain: ∂x = (h − x̂·mean(h·x̂))/√(mean x² + ε), ∂gain = Σ g·x̂ over the "
                 "rows",
     .source = "B. Zhang, R. Sennrich, Root mean square layer normalization, NeurIPS 2019"});

}  // namespace ops

Var rms_norm(const Var& x, const Var& gain, int first_axis, double epsilon,
             std::source_location where) {
  return apply(ops::rms_norm_op, {&x, &gain}, ops::RowNormAttributes{first_axis, epsilon}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/normalization/row_norm_tests.h"

WENGERT_OP_TESTS(rms_norm) {
  using namespace wengert;
  return row_norm_tests(
      [](std::span<const Var> x, int first_axis, double epsilon) {
        return rms_norm(x[0], operand_or_none(x, 1), first_axis, epsilon);
      },
      false, 2);
}
#endif
