#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/shape/axis_tables.h"

namespace wengert {
namespace ops {
namespace {

struct RollAttributes {
  std::int64_t shift, axis;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("shift", self.shift);
    v("axis", self.axis);
  }
};

void infer_roll(InferContext& call) {
  call.canonical_axis(&RollAttributes::axis, call.rank(0));
  call.output(call.dtype(0), call.shape(0));
}

void evaluate_roll(EvalContext& call) {
  const auto& attributes = call.attributes<RollAttributes>();
  const int axis = static_cast<int>(attributes.axis);
  if (call.output().count() == 0) return;
  AxisTables tables(static_cast<std::size_t>(call.rank(0)));
  const std::int64_t size = call.size(0, axis);
  for (std::int64_t i = 0; i < size; ++i) {
    const std::int64_t from = (i - attributes.shift % size + size) % size;
    tables[static_cast<std::size_t>(axis)].push_back(from);
  }
  copy_by_tables(call, std::move(tables));
}

void roll_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<RollAttributes>();
  const std::int64_t size = c.shape(0)[static_cast<int>(attributes.axis)];
  const std::int64_t back = size == 0 ? 0 : size - attributes.shift % size;
  c.set(0, roll(c.cotangent(), back, static_cast<int>(attributes.axis)));
}

}  // namespace

constinit const OpDef roll_op = {
    .name = "roll",
    .doc = {.summary = "Shifts along an axis; what leaves at one end enters at the other.",
            .formula = "y[…, (i + shift) mod size, …] = x[…, i, …]",
            .arguments = "x: any dtype; shift: may be negative; axis: negative from the back",
            .gradient = "the cotangent shifted back",
            .source = "elementary"},
    .differentiable = 1,
    .linear = {1},
    .infer = infer_roll,
    .evaluate = evaluate_roll,
    .vjp = roll_vjp,
    .attributes = &attribute_type<RollAttributes>,
};

}  // namespace ops

Var roll(const Var& x, std::int64_t shift, int axis, std::source_location where) {
  return apply(ops::roll_op, {&x}, ops::RollAttributes{shift, axis}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/shape/shape_tests.h"

WENGERT_OP_TESTS(roll) {
  OpTests tests = moving_tests();
  for (const std::int64_t shift : {1, -2, 7, 0}) {
    add_sample(
        tests, "by " + std::to_string(shift), {spread({2, 3}, -1, 1)},
        [=](std::span<const Var> x) { return roll(x[0], shift, -1); },
        [=](std::span<const Tensor> x) {
          return by_index({2, 3}, [&](const Dims& i) {
            return element(x[0], {i[0], ((i[1] - shift) % 3 + 3) % 3});
          });
        });
  }
  for (const int axis : {0, 1}) {
    const Shape shape = axis == 0 ? kLongColumns : kLongRows;
    add_sample(
        tests, "of " + to_string(shape) + " axis " + std::to_string(axis), {spread(shape, -1, 1)},
        [=](std::span<const Var> x) { return roll(x[0], -1501, axis); },
        [=](std::span<const Tensor> x) {
          return by_index(shape, [&](const Dims& i) {
            Dims from = i;
            from[axis] = (i[axis] + 1501) % shape[axis];
            return element(x[0], from);
          });
        });
  }
  add_sample(
      tests, "rows", {spread({3, 2}, -1, 1)}, [](std::span<const Var> x) { return roll(x[0], 1); },
      [](std::span<const Tensor> x) {
        return by_index({3, 2}, [&](const Dims& i) {
          return element(x[0], {(i[0] + 2) % 3, i[1]});
        });
      });
  add_sample(
      tests, "a long axis beside an empty one", {Tensor::zeros({1LL << 50, 0}, DType::kFloat64)},
      [](std::span<const Var> x) { return roll(x[0], 1); },
      [](std::span<const Tensor> x) { return x[0]; });
  add_sample(
      tests, "nothing", {spread({0}, -1, 1)}, [](std::span<const Var> x) { return roll(x[0], 1); },
      [](std::span<const Tensor> x) { return x[0]; });
  tests.rejected = {{"axis",
                     [] {
                       return roll(zeros32({2, 3}), 1, 2);
                     },
                     ErrorKind::kAxis, "axis 2 is out of range for rank 2"},
                    {"negative",
                     [] {
                       return roll(zeros32({2, 3}), 1, -3);
                     },
                     ErrorKind::kAxis, "axis -3 is out of range for rank 2"},
                    {"scalar", [] { return roll(zeros32({}), 1); }, ErrorKind::kAxis,
                     "axis 0 is out of range for rank 0"}};
  return tests;
}
#endif
