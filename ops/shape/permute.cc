#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/composite.h"

namespace wengert {
namespace ops {
namespace {

struct PermuteAttributes {
  Axes order;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("order", self.order);
  }
};

void infer_permute(InferContext& call) {
  const Axes& order = call.attributes<PermuteAttributes>().order;
  if (order.size() != call.rank(0)) {
    call.fail(ErrorKind::kAxis,
              "the order " + order.str() + " names " + std::to_string(order.size()) + " axes of " +
                  call.describe(0),
              "name each axis once");
  }
  const Strides own = call.strides(0);
  Shape shape;
  Strides strides;
  bool seen[kMaxRank] = {};
  Axes from_front;
  for (std::int64_t named : order) {
    const int axis = call.resolve_axis(named, call.rank(0));
    if (seen[axis]) {
      call.fail(ErrorKind::kAxis,
                "axis " + std::to_string(named) + " is named twice in " + order.str());
    }
    seen[axis] = true;
    from_front.push_back(axis);
    shape.push_back(call.size(0, axis));
    strides.push_back(own[axis]);
  }
  call.canonical<PermuteAttributes>().order = from_front;
  call.output_view(0, shape, strides);
}

void permute_vjp(VjpContext& c) {
  const Axes& order = c.attributes<PermuteAttributes>().order;
  Axes inverse;
  inverse.resize(order.size());
  for (int d = 0; d < order.size(); ++d) inverse[static_cast<int>(order[d])] = d;
  c.set(0, permute(c.cotangent(), inverse));
}

struct FlattenAttributes {
  std::int64_t first_axis = 0, last_axis = -1;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("first_axis", self.first_axis);
    v("last_axis", self.last_axis);
  }
};

Var expand_flatten(const ExpandContext& call) {
  const Var& x = call.operand(0);
  const Shape shape = call.shape(0);
  const int rank = shape.size();
  if (rank == 0) return reshape(x, {1}, call.where());
  const auto [first_axis, last_axis] = call.attributes<FlattenAttributes>();
  const int first = call.resolve_axis(first_axis, rank), last = call.resolve_axis(last_axis, rank);
  if (last < first) {
    call.fail(ErrorKind::kAxis, "the last axis " + std::to_string(last_axis) +
                                    " lies before the first " + std::to_string(first_axis));
  }
  Shape merged;
  for (int d = 0; d < rank; ++d) {
    if (d <= first || d > last) {
      merged.push_back(shape[d]);
    } else {
      merged[first] *= shape[d];
    }
  }
  return reshape(x, merged, call.where());
}

}  // namespace

constinit const OpDef permute_op = {
    .name = "permute",
    .doc = {.summary = "Reorders the axes.",
            .formula = "y's axis d is x's axis order[d]",
            .arguments = "x: any dtype; order: each axis once, negative from the back. A view",
            .gradient = "the cotangent with the axes put back",
            .source = "elementary"},
    .differentiable = 1,
    .linear = {1},
    .infer = infer_permute,
    .vjp = permute_vjp,
    .attributes = &attribute_type<PermuteAttributes>,
};

constinit const OpDef flatten_op = composite(
    "flatten", 1, 1, 1, expand_flatten, &attribute_type<FlattenAttributes>,
    &default_attributes_of<FlattenAttributes>,
    {.summary = "Merges neighbouring axes into one.",
     .formula = "y[…, j, …] = x[…, i₁, …, iₖ, …], j the row-major position of (i₁, …, iₖ)",
     .arguments = "x: any dtype; first_axis, last_axis: both merged, negative from the back; a "
                  "scalar becomes [1]. Recorded as reshape",
     .gradient = "the cotangent under x's shape",
     .source = "elementary"});

}  // namespace ops

Var permute(const Var& x, const Axes& order, std::source_location where) {
  return apply(ops::permute_op, {&x}, ops::PermuteAttributes{order}, where);
}

Var flatten(const Var& x, int first_axis, int last_axis, std::source_location where) {
  return apply(ops::flatten_op, {&x}, ops::FlattenAttributes{first_axis, last_axis}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/shape/shape_tests.h"

WENGERT_OP_TESTS(permute) {
  OpTests tests = moving_tests();
  const auto add = [&](const Shape& shape, const Axes& order, const Shape& result,
                       std::function<Dims(const Dims&)> from) {
    add_sample(
        tests, to_string(shape) + " by " + order.str(), {spread(shape, -1, 1)},
        [=](std::span<const Var> x) { return permute(x[0], order); },
        [=](std::span<const Tensor> x) {
          return by_index(result, [&](const Dims& i) { return element(x[0], from(i)); });
        });
  };
  add({2, 3, 4}, {2, 0, 1}, {4, 2, 3}, [](const Dims& i) { return Dims{i[1], i[2], i[0]}; });
  add({2, 3}, {-1, 0}, {3, 2}, [](const Dims& i) { return Dims{i[1], i[0]}; });
  add({}, {}, {}, [](const Dims& i) { return i; });
  add({24001, 3}, {1, 0}, {3, 24001}, [](const Dims& i) { return Dims{i[1], i[0]}; });
  add({9, 1001, 3}, {2, 0, 1}, {3, 9, 1001}, [](const Dims& i) { return Dims{i[1], i[2], i[0]}; });
  add({0, 3}, {1, 0}, {3, 0}, [](const Dims& i) { return i; });
  tests.rejected = {{"count",
                     [] {
                       return permute(zeros32({2, 3}), {0});
                     },
                     ErrorKind::kAxis, "the order [0] names 1 axes of f32[2,3]"},
                    {"twice",
                     [] {
                       return permute(zeros32({2, 3}), {0, 0});
                     },
                     ErrorKind::kAxis, "axis 0 is named twice in [0,0]"},
                    {"range",
                     [] {
                       return permute(zeros32({2, 3}), {0, 2});
                     },
                     ErrorKind::kAxis, "axis 2 is out of range for rank 2"}};
  return tests;
}

WENGERT_OP_TESTS(flatten) {
  OpTests tests = moving_tests();
  const auto add = [&](const Shape& shape, int first, int last, const Shape& result) {
    add_sample(
        tests, to_string(shape) + " to " + to_string(result), {spread(shape, -1, 1)},
        [=](std::span<const Var> x) { return flatten(x[0], first, last); },
        [=](std::span<const Tensor> x) { return x[0].contiguous().reshaped(result); });
  };
  add({2, 3, 4}, 0, -1, {24});
  add({2, 3, 4}, 1, 2, {2, 12});
  add({2, 3, 4}, -3, -2, {6, 4});
  add({}, 0, -1, {1});
  add({2, 0}, 0, -1, {0});
  add({4001, 3, 2}, 0, 1, {12003, 2});
  tests.rejected = {{"range",
                     [] {
                       return flatten(zeros32({2, 3}), 0, 2);
                     },
                     ErrorKind::kAxis, "axis 2 is out of range for rank 2"},
                    {"order",
                     [] {
                       return flatten(zeros32({2, 3}), 1, 0);
                     },
                     ErrorKind::kAxis, "the last axis 0 lies before the first 1"},
                    {"negative",
                     [] {
                       return flatten(zeros32({2, 3}), -3);
                     },
                     ErrorKind::kAxis, "axis -3 is out of range for rank 2"}};
  return tests;
}
#endif
