#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/order/lines.h"

// Where sorted values came from and go back to: two linear ops, each the other's derivative.
namespace wengert {
namespace ops {
namespace {

struct PlaceAttributes {
  std::int64_t size, axis;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("size", self.size);
    v("axis", self.axis);
  }
};

/// Checks dtypes and that sizes agree but along the axis; gives the axis.
int check_lines(const OpCall& call, std::int64_t axis_attribute, bool one_length) {
  call.require_floating(0);
  const int axis = call.resolve_axis(axis_attribute, call.rank(0));
  if (call.dtype(1) != DType::kInt64) {
    call.fail(ErrorKind::kDType, "indices must be int64, got " + call.describe(1));
  }
  bool fits = call.rank(0) == call.rank(1);
  for (int d = 0; fits && d < call.rank(0); ++d) {
    fits = call.size(0, d) == call.size(1, d) || (d == axis && !one_length);
  }
  if (!fits) {
    call.fail(ErrorKind::kShape,
              "x is " + call.describe(0) + " but indices are " + call.describe(1));
  }
  return axis;
}

void infer_place(InferContext& call) {
  const auto& attributes = call.attributes<PlaceAttributes>();
  const int axis = check_lines(call, attributes.axis, true);
  if (attributes.size < 0) {
    call.fail(ErrorKind::kShape, "negative size " + std::to_string(attributes.size));
  }
  Shape shape = call.shape(0);
  shape[axis] = attributes.size;
  call.output(call.dtype(0), shape);
}

void infer_pick(InferContext& call) {
  check_lines(call, call.attributes<PlaceAttributes>().axis, false);
  call.output(call.dtype(0), call.shape(1));
}

/// Calls move(position in the long tensor, position in the short one) for each index.
template <class Move>
void for_each_index(const OpCall& call, const TensorView& wide, const TensorView& indices, int axis,
                    Move&& move) {
  const Lines to(wide, axis), from(indices, axis);
  for (std::int64_t l = 0; l < from.count && from.length > 0; ++l) {
    for (std::int64_t i = 0; i < from.length; ++i) {
      const std::int64_t at = from.start(l) + i * from.step;
      const std::int64_t index = indices.as<std::int64_t>()[at];
      if (index < 0 || index >= to.length) {
        call.fail(ErrorKind::kIndex, "index " + std::to_string(index) +
                                         " is out of range for size " + std::to_string(to.length));
      }
      move(to.start(l) + index * to.step, at);
    }
  }
}

void evaluate_place(EvalContext& call) {
  const DenseInput x(call.input(0)), indices(call.input(1));
  const TensorView out = call.output();
  const std::int64_t n = out.count();
  const int axis = call.resolve_axis(call.attributes<PlaceAttributes>().axis, out.rank);
  dispatch_floating(out.dtype, [&]<class T>(T) {
    for (std::int64_t i = 0; i < n; ++i) out.as<T>()[i] = 0;
    for_each_index(call, out, indices.view(), axis, [&](std::int64_t wide, std::int64_t narrow) {
      out.as<T>()[wide] += x.view().as<T>()[narrow];
    });
  });
}

void evaluate_pick(EvalContext& call) {
  const DenseInput x(call.input(0)), indices(call.input(1));
  const TensorView out = call.output();
  const int axis = call.resolve_axis(call.attributes<PlaceAttributes>().axis, out.rank);
  dispatch_floating(out.dtype, [&]<class T>(T) {
    for_each_index(call, x.view(), indices.view(), axis,
                   [&](std::int64_t wide, std::int64_t narrow) {
                     out.as<T>()[narrow] = x.view().as<T>()[wide];
                   });
  });
}

void place_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<PlaceAttributes>();
  c.set(0, pick_along(c.cotangent(), c.input(1), static_cast<int>(attributes.axis)));
}

void pick_vjp(VjpContext& c) {
  const auto axis = static_cast<int>(c.attributes<PlaceAttributes>().axis);
  const int at = axis < 0 ? axis + c.shape(0).size() : axis;
  c.set(0, place_along(c.cotangent(), c.input(1), c.shape(0)[at], at));
}

}  // namespace

constinit const OpDef place_along_op = {
    .name = "place_along",
    .doc = {.summary = "Adds elements into zeros at positions along an axis.",
            .formula = "y[…, indices[…, i, …], …] += x[…, i, …]",
            .arguments = "x: float32 or float64; indices: int64 of x's shape, from 0 to size − 1; "
                         "size: of y along the axis",
            .gradient = "pick_along of the cotangent",
            .source = "the engine's own; derivatives of sort and topk are made of it"},
    .min_inputs = 2,
    .max_inputs = 2,
    .differentiable = 1,
    .reads = {reads_input(1)},
    .infer = infer_place,
    .evaluate = evaluate_place,
    .vjp = place_vjp,
    .attributes = &attribute_type<PlaceAttributes>,
};

constinit const OpDef pick_along_op = {
    .name = "pick_along",
    .doc = {.summary = "Takes elements at positions along an axis.",
            .formula = "y[…, i, …] = x[…, indices[…, i, …], …]",
            .arguments = "x: float32 or float64; indices: int64, of x's shape but along the axis, "
                         "from 0 to x's size − 1",
            .gradient = "place_along of the cotangent",
            .source = "the engine's own; derivatives of sort and topk are made of it"},
    .min_inputs = 2,
    .max_inputs = 2,
    .differentiable = 1,
    .reads = {reads_input(1)},
    .infer = infer_pick,
    .evaluate = evaluate_pick,
    .vjp = pick_vjp,
    .attributes = &attribute_type<PlaceAttributes>,
};

}  // namespace ops

Var place_along(const Var& x, const Var& indices, std::int64_t size, int axis,
                std::source_location where) {
  return apply(ops::place_along_op, {&x, &indices}, ops::PlaceAttributes{size, axis}, where);
}

Var pick_along(const Var& x, const Var& indices, int axis, std::source_location where) {
  return apply(ops::pick_along_op, {&x, &indices}, ops::PlaceAttributes{0, axis}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/order/line_tests.h"

WENGERT_OP_TESTS(place_along) {
  OpTests tests;
  const Tensor rows = Tensor::from<std::int64_t>({2, 0, 0, 3, 3, 3}, {2, 3});
  const Tensor columns = Tensor::from<std::int64_t>({1, 0, 1, 1, 0, 1}, {3, 2});
  const auto sample = [&](const Tensor& indices, std::int64_t size, int axis) {
    Sample s;
    s.name = "along " + std::to_string(axis);
    s.inputs = {spread(indices.shape(), -1, 1), indices};
    s.call = [=](std::span<const Var> x) {
      return std::vector<Var>{place_along(x[0], x[1], size, axis)};
    };
    s.reference = [=](std::span<const Tensor> x) {
      return std::vector<Tensor>{map_lines(x, axis, [size](const LineInputs& in) {
        std::vector<double> y(static_cast<std::size_t>(size), 0.0);
        for (std::size_t i = 0; i < in[0].size(); ++i) {
          y[static_cast<std::size_t>(in[1][i])] += in[0][i];
        }
        return y;
      })};
    };
    s.scale = 1;
    tests.samples.push_back(std::move(s));
  };
  sample(rows, 4, 1);
  sample(columns, 2, -2);
  sample(Tensor::zeros(DType::kInt64, {0, 2}), 3, 0);
  const auto call = [](const Tensor& indices, std::int64_t size) {
    return [=] { place_along(Tensor::zeros(DType::kFloat32, {2, 3}), indices, size, 1); };
  };
  tests.rejected = {
      {"index", call(rows, 3), ErrorKind::kIndex, "index 3 is out of range for size 3"},
      {"shapes", call(columns, 3), ErrorKind::kShape, "x is f32[2,3] but indices are i64[3,2]"},
      {"dtype", call(rows.to(DType::kInt32), 4), ErrorKind::kDType,
       "indices must be int64, got i32[2,3]"},
      {"size", call(rows, -1), ErrorKind::kShape, "negative size -1"}};
  tests.order = 2;
  tests.linear = true;
  return tests;
}

WENGERT_OP_TESTS(pick_along) {
  OpTests tests;
  const Tensor rows = Tensor::from<std::int64_t>({2, 0, 0, 3, 3, 3}, {2, 3});
  Sample s;
  s.name = "rows";
  s.inputs = {spread({2, 4}, -1, 1), rows};
  s.call = [](std::span<const Var> x) { return std::vector<Var>{pick_along(x[0], x[1], -1)}; };
  s.reference = [](std::span<const Tensor> x) {
    std::vector<double> y;
    for (std::int64_t i = 0; i < 6; ++i) {
      y.push_back(x[0].at(i / 3 * 4 + static_cast<std::int64_t>(x[1].at(i))));
    }
    return std::vector<Tensor>{Tensor::from(y, {2, 3})};
  };
  tests.samples.push_back(std::move(s));
  const auto call = [](const Tensor& indices, const Shape& shape) {
    return [=] { pick_along(Tensor::zeros(DType::kFloat32, shape), indices, 1); };
  };
  tests.rejected = {
      {"index", call(rows, {2, 3}), ErrorKind::kIndex, "index 3 is out of range for size 3"},
      {"shapes", call(rows, {3, 3}), ErrorKind::kShape, "x is f32[3,3] but indices are i64[2,3]"},
      {"dtype", call(rows.to(DType::kInt32), {2, 4}), ErrorKind::kDType,
       "indices must be int64, got i32[2,3]"}};
  tests.ulps32 = tests.ulps64 = 0;
  tests.order = 2;
  tests.linear = true;
  return tests;
}
#endif
