#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <algorithm>

namespace wengert {
namespace ops {
namespace {

struct SliceAttributes {
  Dims starts, stops;
  Axes axes;
  Dims steps;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("starts", self.starts);
    v("stops", self.stops);
    v("axes", self.axes);
    v("steps", self.steps);
  }
};

/// A slice as sizes, steps and first indices of every dimension.
struct Cut {
  Shape sizes;
  Dims steps, starts;
};

/// The stride of every step-th element. With one element or none no step is taken, and a huge one
/// must not overflow.
std::int64_t stepped(std::int64_t stride, std::int64_t step, std::int64_t size) {
  return size > 1 ? stride * step : stride;
}

/// Names every sliced axis, in order; ends stay as they are said: they depend on sizes.
void put_in_order(SliceAttributes& attributes, const int (&position_of)[kMaxRank]) {
  SliceAttributes ordered;
  bool steps = false;
  for (int d = 0; d < kMaxRank; ++d) {
    const int k = position_of[d];
    if (k < 0) continue;
    const std::int64_t step = attributes.steps.empty() ? 1 : attributes.steps[k];
    ordered.axes.push_back(d);
    ordered.starts.push_back(attributes.starts[k]);
    ordered.stops.push_back(attributes.stops[k]);
    ordered.steps.push_back(step);
    steps |= step != 1;
  }
  if (!steps) ordered.steps = {};
  attributes = ordered;
}

/// Python's rule: negative ends count from the back, ends beyond are clamped.
Cut resolve(InferContext& call) {
  const SliceAttributes attributes = call.attributes<SliceAttributes>();
  const int count = attributes.starts.size();
  Cut cut{call.shape(0), {}, {}};
  cut.steps.resize(call.rank(0), 1);
  cut.starts.resize(call.rank(0), 0);
  if (attributes.stops.size() != count ||
      (!attributes.axes.empty() && attributes.axes.size() != count) ||
      (!attributes.steps.empty() && attributes.steps.size() != count) ||
      (attributes.axes.empty() && count > call.rank(0))) {
    call.fail(ErrorKind::kValue,
              std::to_string(count) + " starts, " + std::to_string(attributes.stops.size()) +
                  " stops, " + std::to_string(attributes.axes.size()) + " axes and " +
                  std::to_string(attributes.steps.size()) + " steps for " + call.describe(0),
              "give one of each for each sliced axis; axes and steps may be left out");
  }
  int position_of[kMaxRank];
  std::fill(position_of, position_of + kMaxRank, -1);
  for (int k = 0; k < count; ++k) {
    const int axis =
        call.resolve_axis(attributes.axes.empty() ? k : attributes.axes[k], call.rank(0));
    if (position_of[axis] >= 0) {
      call.fail(ErrorKind::kAxis, "axis " + std::to_string(axis) + " is named twice");
    }
    position_of[axis] = k;
    const std::int64_t size = call.size(0, axis);
    const std::int64_t step = attributes.steps.empty() ? 1 : attributes.steps[k];
    if (step == 0 || step < -(std::int64_t{1} << 62)) {
      call.fail(ErrorKind::kValue, "step " + std::to_string(step),
                "steps are 1, 2, … or −1, −2, …");
    }
    const auto from_back = [size](std::int64_t i) {
      return i < 0 ? std::max<std::int64_t>(i, -size - 1) + size : std::min(i, size);
    };
    std::int64_t start = from_back(attributes.starts[k]), stop = from_back(attributes.stops[k]);
    if (step > 0) {
      start = std::max<std::int64_t>(start, 0);
      stop = std::max<std::int64_t>(stop, 0);
      cut.sizes[axis] = stop > start ? (stop - start - 1) / step + 1 : 0;
    } else {
      start = std::min(start, size - 1);
      cut.sizes[axis] = start > stop ? (start - stop - 1) / -step + 1 : 0;
    }
    cut.starts[axis] = cut.sizes[axis] > 0 ? start : 0;
    cut.steps[axis] = step;
  }
  put_in_order(call.canonical<SliceAttributes>(), position_of);
  return cut;
}

void infer_slice(InferContext& call) {
  const Cut cut = resolve(call);
  Strides strides = call.strides(0);
  std::int64_t offset = 0;
  for (int d = 0; d < strides.size(); ++d) {
    offset += cut.starts[d] * strides[d];
    strides[d] = stepped(strides[d], cut.steps[d], cut.sizes[d]);
  }
  call.output_view(0, cut.sizes, strides, element_count(cut.sizes) > 0 ? offset : 0);
}

/// Where the slice lies in a dense tensor of x's shape, worked out again from the sizes.
void slice_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<SliceAttributes>();
  const Shape shape = c.shape(0), sizes = c.output_shape();
  Strides strides = dense_strides(shape);
  std::int64_t offset = 0;
  for (int k = 0; k < attributes.starts.size(); ++k) {
    const int axis = static_cast<int>(attributes.axes[k]);
    const std::int64_t step = attributes.steps.empty() ? 1 : attributes.steps[k];
    std::int64_t start = attributes.starts[k];
    if (start < 0) start += shape[axis];
    if (sizes[axis] == 0) continue;
    start = std::clamp<std::int64_t>(start, 0, step > 0 ? shape[axis] : shape[axis] - 1);
    offset += start * strides[axis];
    strides[axis] = stepped(strides[axis], step, sizes[axis]);
  }
  if (element_count(sizes) == 0) offset = 0;
  c.set(0, place_view(c.cotangent(), shape, strides, offset));
}

}  // namespace

constinit const OpDef slice_op = {
    .name = "slice",
    .doc = {.summary = "A part of a tensor along given axes.",
            .formula = "y[…, i, …] = x[…, start + i·step, …] for start + i·step before stop",
            .arguments = "x: any dtype; starts, stops: one a sliced axis, negative from the back, "
                         "clamped to the ends; axes: the first ones when left out; steps: 1 when "
                         "left out, may be negative (a stop below −size then includes index 0). A "
                         "view",
            .gradient = "the cotangent put into zeros at the slice",
            .source = "elementary; Python's slice rule"},
    .differentiable = 1,
    .linear = {1},
    .infer = infer_slice,
    .vjp = slice_vjp,
    .attributes = &attribute_type<SliceAttributes>,
};

}  // namespace ops

Var slice(const Var& x, const Dims& starts, const Dims& stops, const Axes& axes, const Dims& steps,
          std::source_location where) {
  return apply(ops::slice_op, {&x}, ops::SliceAttributes{starts, stops, axes, steps}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/shape/shape_tests.h"

WENGERT_OP_TESTS(slice) {
  OpTests tests = moving_tests();
  tests.order = 2;
  const auto add = [&](const char* name, const Shape& shape, const Dims& starts, const Dims& stops,
                       const Axes& axes, const Dims& steps, const Shape& result,
                       std::function<Dims(const Dims&)> from) {
    add_sample(
        tests, name, {spread(shape, -1, 1)},
        [=](std::span<const Var> x) { return slice(x[0], starts, stops, axes, steps); },
        [=](std::span<const Tensor> x) {
          return by_index(result, [&](const Dims& i) { return element(x[0], from(i)); });
        });
  };
  add("rows 1 to 3", {4, 3}, {1}, {3}, {}, {}, {2, 3}, [](const Dims& i) {
    return Dims{i[0] + 1, i[1]};
  });
  add("last column", {4, 3}, {-1}, {100}, {1}, {}, {4, 1}, [](const Dims& i) {
    return Dims{i[0], 2};
  });
  add("every second, backwards", {7}, {-1}, {-100}, {0}, {-2}, {4},
      [](const Dims& i) { return Dims{6 - 2 * i[0]}; });
  add("two axes", {4, 5}, {1, 4}, {4, 0}, {0, 1}, {2, -3}, {2, 2}, [](const Dims& i) {
    return Dims{1 + 2 * i[0], 4 - 3 * i[1]};
  });
  add("long rows", {24001, 3}, {-2, 2}, {0, 0}, {0, 1}, {-7, -1}, {3429, 2}, [](const Dims& i) {
    return Dims{23999 - 7 * i[0], 2 - i[1]};
  });
  add("long columns", {3, 24001}, {1}, {24000}, {1}, {5}, {3, 4800}, [](const Dims& i) {
    return Dims{i[0], 1 + 5 * i[1]};
  });
  add("one of two", {2}, {1}, {2}, {}, {}, {1}, [](const Dims&) { return Dims{1}; });
  constexpr std::int64_t kHuge = std::int64_t{1} << 61;
  add("a step beyond the end", {4, 3}, {1}, {4}, {}, {kHuge}, {1, 3}, [](const Dims& i) {
    return Dims{1, i[1]};
  });
  add("a step beyond the start", {4, 3}, {2}, {-9}, {}, {-kHuge}, {1, 3}, [](const Dims& i) {
    return Dims{2, i[1]};
  });
  add("nothing", {4, 3}, {3}, {1}, {}, {}, {0, 3}, [](const Dims& i) { return i; });
  tests.rejected = {
      {"step", [] { return slice(zeros32({4}), {0}, {4}, {0}, {0}); }, ErrorKind::kValue, "step 0"},
      {"axis", [] { return slice(zeros32({4}), {0}, {4}, {2}); }, ErrorKind::kAxis,
       "axis 2 is out of range for rank 1"},
      {"counts",
       [] {
         return slice(zeros32({4}), {0, 0}, {4});
       },
       ErrorKind::kValue, "2 starts, 1 stops, 0 axes and 0 steps for f32[4]"},
      {"twice",
       [] {
         return slice(zeros32({4, 4}), {0, 0}, {4, 4}, {1, -1});
       },
       ErrorKind::kAxis, "axis 1 is named twice"}};
  return tests;
}
#endif
