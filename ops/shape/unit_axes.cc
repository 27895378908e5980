#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS

namespace wengert {
namespace ops {
namespace {

struct AxisAttributes {
  std::int64_t axis;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("axis", self.axis);
  }
};

struct AxesAttributes {
  Axes axes;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("axes", self.axes);
  }
};

void infer_expand_dims(InferContext& call) {
  const int at = call.canonical_axis(&AxisAttributes::axis, call.rank(0) + 1);
  if (call.rank(0) == kMaxRank) {
    call.fail(ErrorKind::kShape, call.describe(0) + " has the highest rank already");
  }
  Shape shape = call.shape(0);
  Strides strides = call.strides(0);
  shape.insert(at, 1);
  strides.insert(at, at < strides.size() ? strides[at] * shape[at + 1] : 1);
  call.output_view(0, shape, strides);
}

void infer_squeeze(InferContext& call) {
  const Axes& axes = call.attributes<AxesAttributes>().axes;
  bool removed[kMaxRank] = {};
  for (std::int64_t axis : axes) {
    const int at = call.resolve_axis(axis, call.rank(0));
    if (call.size(0, at) != 1) {
      call.fail(ErrorKind::kShape, "axis " + std::to_string(axis) + " of " + call.describe(0) +
                                       " has size " + std::to_string(call.size(0, at)) + ", not 1");
    }
    removed[at] = true;
  }
  const Strides all = call.strides(0);
  Shape shape;
  Strides strides;
  Axes named;
  for (int d = 0; d < call.rank(0); ++d) {
    if (removed[d]) named.push_back(d);
    if (axes.empty() ? call.size(0, d) == 1 : removed[d]) continue;
    shape.push_back(call.size(0, d));
    strides.push_back(all[d]);
  }
  call.canonical<AxesAttributes>().axes = named;
  call.output_view(0, shape, strides);
}

void back_to_shape_vjp(VjpContext& c) { c.set(0, reshape(c.cotangent(), c.shape(0))); }

}  // namespace

constinit const OpDef expand_dims_op = {
    .name = "expand_dims",
    .doc = {.summary = "Inserts an axis of size 1.",
            .formula = "y[…, 0, …] = x[…]",
            .arguments = "x: any dtype, rank < 8; axis: position in the result, negative from the "
                         "back. A view",
            .gradient = "the cotangent under x's shape",
            .source = "elementary"},
    .differentiable = 1,
    .linear = {1},
    .infer = infer_expand_dims,
    .vjp = back_to_shape_vjp,
    .attributes = &attribute_type<AxisAttributes>,
};

constinit const OpDef squeeze_op = {
    .name = "squeeze",
    .doc = {.summary = "Removes axes of size 1.",
            .formula = "y[…] = x[…, 0, …]",
            .arguments =
                "x: any dtype; axes: which to remove, each of size 1, all such when empty. "
                "A view",
            .gradient = "the cotangent under x's shape",
            .source = "elementary"},
    .differentiable = 1,
    .linear = {1},
    .infer = infer_squeeze,
    .vjp = back_to_shape_vjp,
    .attributes = &attribute_type<AxesAttributes>,
    .default_attributes = &default_attributes_of<AxesAttributes>,
};

}  // namespace ops

Var expand_dims(const Var& x, int axis, std::source_location where) {
  return apply(ops::expand_dims_op, {&x}, ops::AxisAttributes{axis}, where);
}

Var squeeze(const Var& x, const Axes& axes, std::source_location where) {
  return apply(ops::squeeze_op, {&x}, ops::AxesAttributes{axes}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/shape/shape_tests.h"

WENGERT_OP_TESTS(expand_dims) {
  OpTests tests = moving_tests();
  const auto add = [&](const Shape& shape, int axis, const Shape& result) {
    add_sample(
        tests, to_string(shape) + " at " + std::to_string(axis), {spread(shape, -1, 1)},
        [=](std::span<const Var> x) { return expand_dims(x[0], axis); },
        [=](std::span<const Tensor> x) { return x[0].contiguous().reshaped(result); });
  };
  add({2, 3}, 0, {1, 2, 3});
  add({2, 3}, -1, {2, 3, 1});
  add({2, 3}, 1, {2, 1, 3});
  add({}, 0, {1});
  add({0}, 0, {1, 0});
  add({24001, 3}, 1, {24001, 1, 3});
  tests.rejected = {{"axis", [] { return expand_dims(zeros32({2}), 2); }, ErrorKind::kAxis,
                     "axis 2 is out of range for rank 2"},
                    {"negative", [] { return expand_dims(zeros32({2}), -3); }, ErrorKind::kAxis,
                     "axis -3 is out of range for rank 2"},
                    {"rank",
                     [] {
                       return expand_dims(zeros32({1, 1, 1, 1, 1, 1, 1, 1}), 0);
                     },
                     ErrorKind::kShape, "f32[1,1,1,1,1,1,1,1] has the highest rank already"}};
  return tests;
}

WENGERT_OP_TESTS(squeeze) {
  OpTests tests = moving_tests();
  const auto add = [&](const Shape& shape, const Axes& axes, const Shape& result) {
    add_sample(
        tests, to_string(shape) + " at " + axes.str(), {spread(shape, -1, 1)},
        [=](std::span<const Var> x) { return squeeze(x[0], axes); },
        [=](std::span<const Tensor> x) { return x[0].contiguous().reshaped(result); });
  };
  add({1, 3, 1}, {}, {3});
  add({1, 3, 1}, {-1}, {1, 3});
  add({1}, {0}, {});
  add({1, 0}, {0}, {0});
  add({24001, 1, 3}, {1}, {24001, 3});
  tests.rejected = {{"size",
                     [] {
                       return squeeze(zeros32({2, 3}), {0});
                     },
                     ErrorKind::kShape, "axis 0 of f32[2,3] has size 2, not 1"},
                    {"axis", [] { return squeeze(zeros32({1}), {1}); }, ErrorKind::kAxis,
                     "axis 1 is out of range for rank 1"},
                    {"scalar", [] { return squeeze(zeros32({}), {0}); }, ErrorKind::kAxis,
                     "axis 0 is out of range for rank 0"}};
  return tests;
}
#endif
