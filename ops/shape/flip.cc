#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/reduction/axes.h"

namespace wengert {
namespace ops {
namespace {

struct FlipAttributes {
  Dims axes;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("axes", self.axes);
  }
};

void infer_flip(InferContext& call) {
  bool reversed[kMaxRank];
  mark_axes(call, call.attributes<FlipAttributes>().axes, reversed);
  call.canonical<FlipAttributes>().axes = marked_axes(reversed, call.rank(0));
  Strides strides = call.strides(0);
  std::int64_t offset = 0;
  for (int d = 0; d < strides.size(); ++d) {
    if (!reversed[d]) continue;
    if (element_count(call.shape(0)) > 0) offset += (call.size(0, d) - 1) * strides[d];
    strides[d] = -strides[d];
  }
  call.output_view(0, call.shape(0), strides, offset);
}

void flip_vjp(VjpContext& c) { c.set(0, flip(c.cotangent(), c.attributes<FlipAttributes>().axes)); }

}  // namespace

constinit const OpDef flip_op = {
    .name = "flip",
    .doc = {.summary = "Reverses the order along axes.",
            .formula = "y[…, i, …] = x[…, size − 1 − i, …]",
            .arguments = "x: any dtype; axes: negative from the back, all when empty. A view",
            .gradient = "the cotangent reversed along the same axes",
            .source = "elementary"},
    .differentiable = 1,
    .linear = {1},
    .infer = infer_flip,
    .vjp = flip_vjp,
    .attributes = &attribute_type<FlipAttributes>,
    .default_attributes = &default_attributes_of<FlipAttributes>,
};

}  // namespace ops

Var flip(const Var& x, const Axes& axes, std::source_location where) {
  return apply(ops::flip_op, {&x}, ops::FlipAttributes{axes}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/shape/shape_tests.h"

WENGERT_OP_TESTS(flip) {
  OpTests tests = moving_tests();
  add_sample(
      tests, "columns", {spread({2, 3}, -1, 1)},
      [](std::span<const Var> x) { return flip(x[0], {-1}); },
      [](std::span<const Tensor> x) {
        return by_index({2, 3}, [&](const Dims& i) { return element(x[0], {i[0], 2 - i[1]}); });
      });
  add_sample(
      tests, "all", {spread({2, 3}, -1, 1)}, [](std::span<const Var> x) { return flip(x[0]); },
      [](std::span<const Tensor> x) {
        return by_index({2, 3}, [&](const Dims& i) { return element(x[0], {1 - i[0], 2 - i[1]}); });
      });
  for (const Shape& shape : {kLongColumns, kLongRows}) {
    for (const int axis : {0, 1}) {
      add_sample(
          tests, to_string(shape) + " axis " + std::to_string(axis), {spread(shape, -1, 1)},
          [=](std::span<const Var> x) { return flip(x[0], {axis}); },
          [=](std::span<const Tensor> x) {
            return by_index(shape, [&](const Dims& i) {
              Dims from = i;
              from[axis] = shape[axis] - 1 - i[axis];
              return element(x[0], from);
            });
          });
    }
  }
  add_sample(
      tests, "nothing", {spread({0, 3}, -1, 1)}, [](std::span<const Var> x) { return flip(x[0]); },
      [](std::span<const Tensor> x) { return x[0]; });
  tests.rejected = {{"axis",
                     [] {
                       return flip(zeros32({2, 3}), {2});
                     },
                     ErrorKind::kAxis, "axis 2 is out of range for rank 2"},
                    {"negative",
                     [] {
                       return flip(zeros32({2, 3}), {-3});
                     },
                     ErrorKind::kAxis, "axis -3 is out of range for rank 2"},
                    {"twice",
                     [] {
                       return flip(zeros32({2, 3}), {0, 0});
                     },
                     ErrorKind::kAxis, "axis 0 is named twice in [0,0]"}};
  return tests;
}
#endif
