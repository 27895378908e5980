#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <utility>

namespace wengert {
namespace ops {
namespace {

struct TransposeAttributes {
  std::int64_t first_axis, second_axis;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("first_axis", self.first_axis);
    v("second_axis", self.second_axis);
  }
};

void infer_transpose(InferContext& call) {
  const auto& attributes = call.attributes<TransposeAttributes>();
  const int a = call.resolve_axis(attributes.first_axis, call.rank(0));
  const int b = call.resolve_axis(attributes.second_axis, call.rank(0));
  Shape shape = call.shape(0);
  Strides strides = call.strides(0);
  std::swap(shape[a], shape[b]);
  std::swap(strides[a], strides[b]);
  call.output_view(0, shape, strides);
}

void transpose_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<TransposeAttributes>();
  c.set(0, transpose(c.cotangent(), static_cast<int>(attributes.first_axis),
                     static_cast<int>(attributes.second_axis)));
}

}  // namespace

constinit const OpDef transpose_op = {
    .name = "transpose",
    .doc = {.summary = "Exchanges two axes, the last two unless said otherwise.",
            .formula = "y[…, j, …, i, …] = x[…, i, …, j, …]",
            .arguments = "x: any dtype, rank ≥ 1; first_axis, second_axis: negative from the back. "
                         "A view",
            .gradient = "the cotangent with the same axes exchanged",
            .source = "elementary"},
    .differentiable = 1,
    .infer = infer_transpose,
    .vjp = transpose_vjp,
    .attributes = &attribute_type<TransposeAttributes>,
};

}  // namespace ops

Var transpose(const Var& x, int first_axis, int second_axis, std::source_location where) {
  return apply(ops::transpose_op, {&x}, ops::TransposeAttributes{first_axis, second_axis}, where);
}

}  // namespace wengert
#endif
