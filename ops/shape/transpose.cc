#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <algorithm>
#include <utility>

namespace wengert {
namespace ops {
namespace {

struct TransposeAttributes {
  std::int64_t first_axis = -2, second_axis = -1;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("first_axis", self.first_axis);
    v("second_axis", self.second_axis);
  }
};

void infer_transpose(InferContext& call) {
  const int a = call.canonical_axis(&TransposeAttributes::first_axis, call.rank(0));
  const int b = call.canonical_axis(&TransposeAttributes::second_axis, call.rank(0));
  call.canonical<TransposeAttributes>() = {std::min(a, b), std::max(a, b)};
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
    .linear = {1},
    .infer = infer_transpose,
    .vjp = transpose_vjp,
    .attributes = &attribute_type<TransposeAttributes>,
    .default_attributes = &default_attributes_of<TransposeAttributes>,
};

}  // namespace ops

Var transpose(const Var& x, int first_axis, int second_axis, std::source_location where) {
  return apply(ops::transpose_op, {&x}, ops::TransposeAttributes{first_axis, second_axis}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/shape/shape_tests.h"

WENGERT_OP_TESTS(transpose) {
  OpTests tests = moving_tests();
  add_sample(
      tests, "matrix", {spread({2, 3}, -1, 1)},
      [](std::span<const Var> x) { return transpose(x[0]); },
      [](std::span<const Tensor> x) {
        return by_index({3, 2}, [&](const Dims& i) { return element(x[0], {i[1], i[0]}); });
      });
  add_sample(
      tests, "first and last of three", {spread({2, 3, 4}, -1, 1)},
      [](std::span<const Var> x) { return transpose(x[0], 0, -1); },
      [](std::span<const Tensor> x) {
        return by_index({4, 3, 2}, [&](const Dims& i) {
          return element(x[0], {i[2], i[1], i[0]});
        });
      });
  for (const Shape& shape : {kLongColumns, kLongRows}) {
    add_sample(
        tests, to_string(shape), {spread(shape, -1, 1)},
        [](std::span<const Var> x) { return transpose(x[0]); },
        [=](std::span<const Tensor> x) {
          return by_index({shape[1], shape[0]}, [&](const Dims& i) {
            return element(x[0], {i[1], i[0]});
          });
        });
  }
  add_sample(
      tests, "nothing", {spread({0, 3}, -1, 1)},
      [](std::span<const Var> x) { return transpose(x[0]); },
      [](std::span<const Tensor>) {
        return Tensor::zeros({3, 0}, DType::kFloat64);
      });
  tests.rejected = {{"vector", [] { return transpose(zeros32({3})); }, ErrorKind::kAxis,
                     "axis -2 is out of range for rank 1"},
                    {"scalar", [] { return transpose(zeros32({})); }, ErrorKind::kAxis,
                     "axis -2 is out of range for rank 0"},
                    {"axis",
                     [] {
                       return transpose(zeros32({2, 3}), 0, 2);
                     },
                     ErrorKind::kAxis, "axis 2 is out of range for rank 2"}};
  return tests;
}
#endif
