#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS

namespace wengert {
namespace ops {
namespace {

struct BroadcastAttributes {
  Shape shape;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("shape", self.shape);
  }
};

void infer_broadcast_to(InferContext& call) {
  const Shape& shape = call.attributes<BroadcastAttributes>().shape;
  element_count(shape);
  const Strides own = call.strides(0);
  const int lead = shape.size() - call.rank(0);
  Strides strides;
  strides.resize(shape.size(), 0);
  bool fits = lead >= 0;
  for (int d = 0; fits && d < call.rank(0); ++d) {
    fits = call.size(0, d) == shape[lead + d] || call.size(0, d) == 1;
    strides[lead + d] = call.size(0, d) == 1 ? 0 : own[d];
  }
  if (!fits) {
    call.fail(ErrorKind::kShape, call.describe(0) + " does not broadcast to " + shape.str(),
              "sizes must be equal or 1, aligned at the last dimension");
  }
  call.output_view(0, shape, strides);
}

// The engine sums a cotangent of the output's shape down to the input's.
void broadcast_to_vjp(VjpContext& c) { c.set(0, c.cotangent()); }

}  // namespace

constinit const OpDef broadcast_to_op = {
    .name = "broadcast_to",
    .doc = {.summary = "Repeats a tensor along new axes and axes of size 1.",
            .formula = "y[i…] = x[i…], with index 0 where x has size 1",
            .arguments =
                "x: any dtype; shape: sizes that x broadcasts to. A view: nothing is copied",
            .gradient = "the cotangent summed over the repeated axes",
            .source = "elementary"},
    .differentiable = 1,
    .linear = {1},
    .infer = infer_broadcast_to,
    .vjp = broadcast_to_vjp,
    .attributes = &attribute_type<BroadcastAttributes>,
};

}  // namespace ops

Var broadcast_to(const Var& x, const Shape& shape, std::source_location where) {
  return apply(ops::broadcast_to_op, {&x}, ops::BroadcastAttributes{shape}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/shape/shape_tests.h"

WENGERT_OP_TESTS(broadcast_to) {
  OpTests tests = moving_tests();
  const auto add = [&](const Shape& from, const Shape& to) {
    add_sample(
        tests, to_string(from) + " to " + to_string(to), {spread(from, -1, 1)},
        [=](std::span<const Var> x) { return broadcast_to(x[0], to); },
        [=](std::span<const Tensor> x) {
          return by_index(to, [&](const Dims& i) {
            Dims source;
            for (int d = 0; d < from.size(); ++d) {
              source.push_back(from[d] == 1 ? 0 : i[to.size() - from.size() + d]);
            }
            return element(x[0], source);
          });
        });
  };
  add({3}, {2, 3});
  add({2, 1}, {2, 4});
  add({}, {3});
  add({1, 1}, {2, 0});
  add({2, 3}, {2, 3});
  add({24001, 1}, {24001, 3});
  add({1, 24001}, {3, 24001});
  add({9001}, {9, 9001});
  tests.rejected = {{"size", [] { return broadcast_to(zeros32({2}), {3}); }, ErrorKind::kShape,
                     "f32[2] does not broadcast to [3]"},
                    {"rank",
                     [] {
                       return broadcast_to(zeros32({2, 3}), {3});
                     },
                     ErrorKind::kShape, "f32[2,3] does not broadcast to [3]"},
                    {"negative", [] { return broadcast_to(zeros32({1}), {-1}); }, ErrorKind::kShape,
                     "negative size in [-1]"}};
  return tests;
}
#endif
