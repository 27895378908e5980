#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "wengert/ops/dense_input.h"
#include "wengert/ops/kernels/strided.h"

// Derivatives of views: elements put into zeros at the places that a view would show, and taken
// from there. Each is the other's derivative; strides count elements of the dense tensor.
namespace wengert {
namespace ops {
namespace {

struct ViewAttributes {
  Shape shape;
  Strides strides;
  std::int64_t offset;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("shape", self.shape);
    v("strides", self.strides);
    v("offset", self.offset);
  }
};

/// Fails unless a view of these sizes stays inside a dense tensor of `count` elements.
void check_inside(const OpCall& call, const Shape& view, const ViewAttributes& attributes,
                  std::int64_t count) {
  if (attributes.strides.size() != view.size()) {
    call.fail(ErrorKind::kShape, std::to_string(attributes.strides.size()) +
                                     " strides for a view of shape " + view.str());
  }
  if (element_count(view) == 0) return;
  std::int64_t low = attributes.offset, high = attributes.offset;
  bool inside = true;
  for (int d = 0; d < view.size(); ++d) {
    std::int64_t reach;
    inside &= !__builtin_mul_overflow(view[d] - 1, attributes.strides[d], &reach);
    std::int64_t& end = reach < 0 ? low : high;
    inside &= !__builtin_add_overflow(end, reach, &end);
  }
  if (!inside || low < 0 || high >= count) {
    call.fail(ErrorKind::kIndex, "the view leaves the " + std::to_string(count) +
                                     " elements: shape " + view.str() + ", strides " +
                                     attributes.strides.str() + ", offset " +
                                     std::to_string(attributes.offset));
  }
}

/// Fails unless each stride passes over all that smaller strides reach: then no two elements of
/// the view share a place, as in every slice or diagonal of a dense tensor.
void check_apart(const OpCall& call, const Shape& view, const Strides& strides) {
  if (element_count(view) <= 1) return;
  std::vector<std::pair<std::int64_t, std::int64_t>> axes;  // stride, size
  for (int d = 0; d < view.size(); ++d) {
    if (view[d] > 1) axes.emplace_back(std::abs(strides[d]), view[d]);
  }
  std::sort(axes.begin(), axes.end());
  std::int64_t reached = 0;  // stays inside the tensor, as check_inside holds
  for (const auto& [stride, size] : axes) {
    if (stride <= reached) {
      call.fail(ErrorKind::kValue, "elements of a view of shape " + view.str() + " with strides " +
                                       strides.str() + " share places");
    }
    reached += stride * (size - 1);
  }
}

void infer_place_view(InferContext& call) {
  const auto& attributes = call.attributes<ViewAttributes>();
  check_inside(call, call.shape(0), attributes, element_count(attributes.shape));
  check_apart(call, call.shape(0), attributes.strides);
  call.output(call.dtype(0), attributes.shape);
}

void evaluate_place_view(EvalContext& call) {
  const auto& attributes = call.attributes<ViewAttributes>();
  const TensorView out = call.output();
  const TensorView x = call.input(0);
  const auto bytes = static_cast<std::int64_t>(size_of(out.dtype));
  std::memset(out.data, 0, static_cast<std::size_t>(out.count() * bytes));
  if (x.count() == 0) return;  // where nothing is placed, offset and strides may be any numbers
  const TensorView target = {out.dtype, x.rank, x.sizes, attributes.strides.data(),
                             out.data + attributes.offset * bytes};
  const TensorView views[] = {x, target};
  const kernels::LoopNest nest = kernels::plan(x.shape(), views);
  const std::int64_t inner = nest.inner(), outer = nest.outer();
  const auto run = [&]<class U>(U) {
    for (std::int64_t o = 0; o < outer; ++o) {
      std::int64_t at[2];
      kernels::offsets_at(nest, o, at);
      const U* from = x.as<U>() + at[0];
      U* to = target.as<U>() + at[1];
      for (std::int64_t i = 0; i < inner; ++i) {
        to[i * nest.inner_stride(1)] = from[i * nest.inner_stride(0)];
      }
    }
  };
  switch (bytes) {
    case 8:
      run(std::uint64_t{});
      break;
    case 4:
      run(std::uint32_t{});
      break;
    default:
      run(std::uint8_t{});
  }
}

void place_view_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<ViewAttributes>();
  c.set(0, take_view(c.cotangent(), c.shape(0), attributes.strides, attributes.offset));
}

void infer_take_view(InferContext& call) {
  const auto& attributes = call.attributes<ViewAttributes>();
  check_inside(call, attributes.shape, attributes, element_count(call.shape(0)));
  check_apart(call, attributes.shape, attributes.strides);
  call.output(call.dtype(0), attributes.shape);
}

void evaluate_take_view(EvalContext& call) {
  const auto& attributes = call.attributes<ViewAttributes>();
  const TensorView out = call.output();
  if (out.count() == 0) return;  // offset and strides may be any numbers then
  const DenseInput x(call.input(0));
  kernels::copy_to_dense(
      {out.dtype, out.rank, out.sizes, attributes.strides.data(),
       x.view().data + attributes.offset * static_cast<std::int64_t>(size_of(out.dtype))},
      out.data);
}

void take_view_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<ViewAttributes>();
  c.set(0, place_view(c.cotangent(), c.shape(0), attributes.strides, attributes.offset));
}

}  // namespace

constinit const OpDef place_view_op = {
    .name = "place_view",
    .doc = {.summary = "Puts elements into zeros at the places that a view shows.",
            .formula = "y[offset + Σ i·strides] = x[i…], 0 elsewhere",
            .arguments = "x: any dtype; shape: the result's, dense; strides: of x's dimensions in "
                         "it, no place twice; offset: of x's first element",
            .gradient = "take_view of the cotangent",
            .source = "the engine's own; derivative of slice, flip and diagonal"},
    .differentiable = 1,
    .linear = {1},
    .infer = infer_place_view,
    .evaluate = evaluate_place_view,
    .vjp = place_view_vjp,
    .attributes = &attribute_type<ViewAttributes>,
};

constinit const OpDef take_view_op = {
    .name = "take_view",
    .doc = {.summary = "Copies the elements that a view of a dense tensor shows.",
            .formula = "y[i…] = x[offset + Σ i·strides]",
            .arguments =
                "x: any dtype; shape, strides, offset: of the view, in elements of dense x",
            .gradient = "place_view of the cotangent",
            .source = "the engine's own; derivative of place_view"},
    .differentiable = 1,
    .linear = {1},
    .infer = infer_take_view,
    .evaluate = evaluate_take_view,
    .vjp = take_view_vjp,
    .attributes = &attribute_type<ViewAttributes>,
};

}  // namespace ops

Var place_view(const Var& x, const Shape& shape, const Strides& strides, std::int64_t offset,
               std::source_location where) {
  return apply(ops::place_view_op, {&x}, ops::ViewAttributes{shape, strides, offset}, where);
}

Var take_view(const Var& x, const Shape& shape, const Strides& strides, std::int64_t offset,
              std::source_location where) {
  return apply(ops::take_view_op, {&x}, ops::ViewAttributes{shape, strides, offset}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/shape/shape_tests.h"

WENGERT_OP_TESTS(place_view) {
  OpTests tests = moving_tests();
  add_sample(
      tests, "every second, backwards", {spread({2, 3}, -1, 1)},
      [](std::span<const Var> x) {
        return place_view(x[0], {4, 5}, {10, -2}, 4);
      },
      [](std::span<const Tensor> x) {
        return by_index({4, 5}, [&](const Dims& i) {
          return i[0] % 2 == 0 && i[1] % 2 == 0 ? element(x[0], {i[0] / 2, 2 - i[1] / 2}) : 0.0;
        });
      });
  add_sample(
      tests, "a long column", {spread({9001}, -1, 1)},
      [](std::span<const Var> x) {
        return place_view(x[0], {9001, 3}, {3}, 1);
      },
      [](std::span<const Tensor> x) {
        return by_index({9001, 3}, [&](const Dims& i) { return i[1] == 1 ? x[0].at(i[0]) : 0.0; });
      });
  tests.rejected = {
      {"outside", [] { return place_view(zeros32({3}), {4}, {2}, 0); }, ErrorKind::kIndex,
       "the view leaves the 4 elements: shape [3], strides [2], offset 0"},
      {"before", [] { return place_view(zeros32({3}), {4}, {-1}, 1); }, ErrorKind::kIndex,
       "the view leaves the 4 elements: shape [3], strides [-1], offset 1"},
      {"beyond 64 bits", [] { return place_view(zeros32({5}), {4}, {std::int64_t{1} << 62}, 0); },
       ErrorKind::kIndex,
       "the view leaves the 4 elements: shape [5], strides [4611686018427387904], "
       "offset 0"},
      {"twice", [] { return place_view(zeros32({3}), {4}, {0}, 0); }, ErrorKind::kValue,
       "elements of a view of shape [3] with strides [0] share places"},
      {"strides",
       [] {
         return place_view(zeros32({3}), {4}, {1, 1}, 0);
       },
       ErrorKind::kShape, "2 strides for a view of shape [3]"}};
  return tests;
}

WENGERT_OP_TESTS(take_view) {
  OpTests tests = moving_tests();
  add_sample(
      tests, "diagonal", {spread({3, 4}, -1, 1)},
      [](std::span<const Var> x) { return take_view(x[0], {3}, {5}, 0); },
      [](std::span<const Tensor> x) {
        return by_index({3}, [&](const Dims& i) { return element(x[0], {i[0], i[0]}); });
      });
  add_sample(
      tests, "a long column", {spread({9001, 3}, -1, 1)},
      [](std::span<const Var> x) { return take_view(x[0], {9001}, {3}, 1); },
      [](std::span<const Tensor> x) {
        return by_index({9001}, [&](const Dims& i) { return element(x[0], {i[0], 1}); });
      });
  tests.rejected = {
      {"outside", [] { return take_view(zeros32({3}), {4}, {1}, 0); }, ErrorKind::kIndex,
       "the view leaves the 3 elements: shape [4], strides [1], offset 0"},
      {"before", [] { return take_view(zeros32({3}), {2}, {-1}, 0); }, ErrorKind::kIndex,
       "the view leaves the 3 elements: shape [2], strides [-1], offset 0"},
      {"twice",
       [] {
         return take_view(zeros32({3}), {2, 2}, {1, 1}, 0);
       },
       ErrorKind::kValue, "elements of a view of shape [2,2] with strides [1,1] share places"},
      {"strides", [] { return take_view(zeros32({3}), {3}, {}, 0); }, ErrorKind::kShape,
       "0 strides for a view of shape [3]"}};
  return tests;
}
#endif
