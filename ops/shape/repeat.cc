#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/creation/checks.h"
#include "wengert/ops/shape/axis_tables.h"

namespace wengert {
namespace ops {
namespace {

struct TileAttributes {
  Dims repeats;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("repeats", self.repeats);
  }
};

struct RepeatAttributes {
  std::int64_t repeats, axis;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("repeats", self.repeats);
    v("axis", self.axis);
  }
};

void scale_size(const OpCall& call, Shape& shape, int axis, std::int64_t factor) {
  if (factor < 0) {
    call.fail(ErrorKind::kValue,
              std::to_string(factor) + " repeats on axis " + std::to_string(axis),
              "repeats are 0 or more");
  }
  if (__builtin_mul_overflow(shape[axis], factor, &shape[axis])) {
    call.fail(ErrorKind::kShape,
              "the repeated size of axis " + std::to_string(axis) + " overflows");
  }
}

void infer_tile(InferContext& call) {
  const Dims& repeats = call.attributes<TileAttributes>().repeats;
  if (repeats.size() != call.rank(0)) {
    call.fail(ErrorKind::kShape,
              std::to_string(repeats.size()) + " repeats for " + call.describe(0),
              "give one for each axis");
  }
  Shape shape = call.shape(0);
  for (int d = 0; d < shape.size(); ++d) scale_size(call, shape, d, repeats[d]);
  output_of_sizes(call, call.dtype(0), shape);
}

void evaluate_tile(EvalContext& call) {
  if (call.output().count() == 0) return;
  AxisTables tables(static_cast<std::size_t>(call.rank(0)));
  for (int d = 0; d < call.rank(0); ++d) {
    const std::int64_t size = call.size(0, d), total = call.output().sizes[d];
    if (total == size) continue;
    for (std::int64_t i = 0; i < total; ++i)
      tables[static_cast<std::size_t>(d)].push_back(i % size);
  }
  copy_by_tables(call, std::move(tables));
}

/// g summed over the copies of one axis: [left, copies, size, right] or [left, size, copies,
/// right].
Var sum_copies(const Var& g, int axis, std::int64_t size, std::int64_t copies, bool interleaved) {
  const Shape shape = g.shape();
  std::int64_t left = 1, right = 1;
  for (int d = 0; d < axis; ++d) left *= shape[d];
  for (int d = axis + 1; d < shape.size(); ++d) right *= shape[d];
  Shape result = shape;
  result[axis] = size;
  const Shape apart =
      interleaved ? Shape{left, size, copies, right} : Shape{left, copies, size, right};
  return reshape(sum(reshape(g, apart), {interleaved ? 2 : 1}), result);
}

void tile_vjp(VjpContext& c) {
  const Dims& repeats = c.attributes<TileAttributes>().repeats;
  Var g = c.cotangent();
  for (int d = 0; d < repeats.size(); ++d) {
    if (repeats[d] != 1) g = sum_copies(g, d, c.shape(0)[d], repeats[d], false);
  }
  c.set(0, g);
}

void infer_repeat(InferContext& call) {
  const int axis = call.canonical_axis(&RepeatAttributes::axis, call.rank(0));
  Shape shape = call.shape(0);
  scale_size(call, shape, axis, call.attributes<RepeatAttributes>().repeats);
  output_of_sizes(call, call.dtype(0), shape);
}

void evaluate_repeat(EvalContext& call) {
  const auto& attributes = call.attributes<RepeatAttributes>();
  const int axis = static_cast<int>(attributes.axis);
  if (call.output().count() == 0) return;
  AxisTables tables(static_cast<std::size_t>(call.rank(0)));
  for (std::int64_t i = 0; i < call.output().sizes[axis]; ++i) {
    tables[static_cast<std::size_t>(axis)].push_back(i / attributes.repeats);
  }
  copy_by_tables(call, std::move(tables));
}

void repeat_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<RepeatAttributes>();
  const int axis = static_cast<int>(attributes.axis);
  c.set(0, sum_copies(c.cotangent(), axis, c.shape(0)[axis], attributes.repeats, true));
}

}  // namespace

constinit const OpDef tile_op = {
    .name = "tile",
    .doc = {.summary = "Repeats a tensor as a whole along each axis.",
            .formula = "y[i…] = x[i mod size …]",
            .arguments = "x: any dtype; repeats: one number ≥ 0 an axis",
            .gradient = "the cotangent summed over the copies",
            .source = "elementary"},
    .differentiable = 1,
    .linear = {1},
    .infer = infer_tile,
    .evaluate = evaluate_tile,
    .vjp = tile_vjp,
    .attributes = &attribute_type<TileAttributes>,
};

constinit const OpDef repeat_interleave_op = {
    .name = "repeat_interleave",
    .doc = {.summary = "Repeats each element along an axis.",
            .formula = "y[…, i, …] = x[…, ⌊i/repeats⌋, …]",
            .arguments = "x: any dtype; repeats ≥ 0; axis: negative from the back",
            .gradient = "the cotangent summed over the copies of each element",
            .source = "elementary"},
    .differentiable = 1,
    .linear = {1},
    .infer = infer_repeat,
    .evaluate = evaluate_repeat,
    .vjp = repeat_vjp,
    .attributes = &attribute_type<RepeatAttributes>,
};

}  // namespace ops

Var tile(const Var& x, const Dims& repeats, std::source_location where) {
  return apply(ops::tile_op, {&x}, ops::TileAttributes{repeats}, where);
}

Var repeat_interleave(const Var& x, std::int64_t repeats, int axis, std::source_location where) {
  return apply(ops::repeat_interleave_op, {&x}, ops::RepeatAttributes{repeats, axis}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/shape/shape_tests.h"

WENGERT_OP_TESTS(tile) {
  OpTests tests = moving_tests();
  for (const Dims& repeats : {Dims{2, 3}, Dims{1, 1}, Dims{0, 2}}) {
    add_sample(
        tests, repeats.str(), {spread({2, 3}, -1, 1)},
        [=](std::span<const Var> x) { return tile(x[0], repeats); },
        [=](std::span<const Tensor> x) {
          return by_index({2 * repeats[0], 3 * repeats[1]}, [&](const Dims& i) {
            return element(x[0], {i[0] % 2, i[1] % 3});
          });
        });
  }
  for (const Shape& shape : {Shape{4001, 3}, Shape{3, 4001}}) {
    add_sample(
        tests, "of " + to_string(shape), {spread(shape, -1, 1)},
        [](std::span<const Var> x) {
          return tile(x[0], {3, 2});
        },
        [=](std::span<const Tensor> x) {
          return by_index({3 * shape[0], 2 * shape[1]}, [&](const Dims& i) {
            return element(x[0], {i[0] % shape[0], i[1] % shape[1]});
          });
        });
  }
  add_sample(
      tests, "a long axis beside an empty one", {spread({1, 0}, -1, 1)},
      [](std::span<const Var> x) {
        return tile(x[0], {1LL << 50, 1});
      },
      [](std::span<const Tensor>) {
        return Tensor::zeros({1LL << 50, 0}, DType::kFloat64);
      });
  tests.rejected = {{"count",
                     [] {
                       return tile(zeros32({2, 3}), {2});
                     },
                     ErrorKind::kShape, "1 repeats for f32[2,3]"},
                    {"negative", [] { return tile(zeros32({2}), {-1}); }, ErrorKind::kValue,
                     "-1 repeats on axis 0"},
                    {"overflow", [] { return tile(zeros32({4}), {std::int64_t{1} << 62}); },
                     ErrorKind::kShape, "the repeated size of axis 0 overflows"}};
  return tests;
}

WENGERT_OP_TESTS(repeat_interleave) {
  OpTests tests = moving_tests();
  for (const int axis : {0, -1}) {
    add_sample(
        tests, "axis " + std::to_string(axis), {spread({2, 3}, -1, 1)},
        [=](std::span<const Var> x) { return repeat_interleave(x[0], 3, axis); },
        [=](std::span<const Tensor> x) {
          return axis == 0 ? by_index({6, 3},
                                      [&](const Dims& i) {
                                        return element(x[0], {i[0] / 3, i[1]});
                                      })
                           : by_index({2, 9}, [&](const Dims& i) {
                               return element(x[0], {i[0], i[1] / 3});
                             });
        });
  }
  for (const int axis : {0, 1}) {
    const Shape shape = axis == 0 ? Shape{4001, 3} : Shape{3, 4001};
    add_sample(
        tests, "of " + to_string(shape) + " axis " + std::to_string(axis), {spread(shape, -1, 1)},
        [=](std::span<const Var> x) { return repeat_interleave(x[0], 3, axis); },
        [=](std::span<const Tensor> x) {
          Shape whole = shape;
          whole[axis] *= 3;
          return by_index(whole, [&](const Dims& i) {
            Dims from = i;
            from[axis] /= 3;
            return element(x[0], from);
          });
        });
  }
  tests.rejected = {{"axis", [] { return repeat_interleave(zeros32({2}), 2, 1); }, ErrorKind::kAxis,
                     "axis 1 is out of range for rank 1"},
                    {"negative", [] { return repeat_interleave(zeros32({2}), -1); },
                     ErrorKind::kValue, "-1 repeats on axis 0"},
                    {"scalar", [] { return repeat_interleave(zeros32({}), 2); }, ErrorKind::kAxis,
                     "axis 0 is out of range for rank 0"}};
  return tests;
}
#endif
