#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <cstring>

#include "wengert/ops/composite.h"
#include "wengert/ops/order/lines.h"

namespace wengert {
namespace ops {
namespace {

struct IndexAttributes {
  std::int64_t axis;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("axis", self.axis);
  }
};

struct OneHotAttributes {
  std::int64_t classes;
  DType dtype;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("classes", self.classes);
    v("dtype", self.dtype);
  }
};

void require_indices(const OpCall& call, int i) {
  if (call.dtype(i) != DType::kInt32 && call.dtype(i) != DType::kInt64) {
    call.fail(ErrorKind::kDType, "indices must be int32 or int64, got " + call.describe(i),
              "convert them with cast(indices, DType::kInt64)");
  }
}

/// Reads dense indices of either dtype: negative ones count from the back, others out of range
/// fail with their position.
class IndexReader {
 public:
  IndexReader(const OpCall& call, const TensorView& indices, std::int64_t size)
      : call_(call), indices_(indices), size_(size) {}
  std::int64_t operator()(std::int64_t position) const {
    const std::int64_t index = indices_.dtype == DType::kInt32
                                   ? indices_.as<std::int32_t>()[position]
                                   : indices_.as<std::int64_t>()[position];
    if (index < -size_ || index >= size_) {
      call_.fail(ErrorKind::kIndex, "index " + std::to_string(index) + " at position " +
                                        std::to_string(position) + " is out of range for size " +
                                        std::to_string(size_));
    }
    return index < 0 ? index + size_ : index;
  }

 private:
  const OpCall& call_;
  const TensorView& indices_;
  std::int64_t size_;
};

/// Checks that indices (input i) have x's sizes beside the axis; gives the axis.
int check_along(const OpCall& call, std::int64_t named, int i) {
  const int axis = call.resolve_axis(named, call.rank(0));
  require_indices(call, i);
  bool fits = call.rank(0) == call.rank(i);
  for (int d = 0; fits && d < call.rank(0); ++d)
    fits = d == axis || call.size(0, d) == call.size(i, d);
  if (!fits) {
    call.fail(ErrorKind::kShape,
              "x is " + call.describe(0) + " but the indices are " + call.describe(i),
              "they must agree beside the axis");
  }
  return axis;
}

void infer_gather(InferContext& call) {
  check_along(call, call.attributes<IndexAttributes>().axis, 1);
  call.output(call.dtype(0), call.shape(1));
}

void evaluate_gather(EvalContext& call) {
  const DenseInput x(call.input(0)), indices(call.input(1));
  const TensorView out = call.output();
  const int axis = call.resolve_axis(call.attributes<IndexAttributes>().axis, out.rank);
  const Lines wide(x.view(), axis), narrow(out, axis);
  const IndexReader index(call, indices.view(), wide.length);
  dispatch(out.dtype, [&]<class T>(T) {
    for (std::int64_t l = 0; l < narrow.count && narrow.length > 0; ++l) {
      for (std::int64_t i = 0; i < narrow.length; ++i) {
        const std::int64_t at = narrow.start(l) + i * narrow.step;
        out.as<T>()[at] = x.view().as<T>()[wide.start(l) + index(at) * wide.step];
      }
    }
  });
}

Var zeros_like_input(VjpContext& c, int i) { return Tensor::zeros(c.dtype(i), c.shape(i)); }

void gather_vjp(VjpContext& c) {
  c.set(0, scatter_add(zeros_like_input(c, 0), c.input(1), c.cotangent(),
                       static_cast<int>(c.attributes<IndexAttributes>().axis)));
}

void infer_scatter_add(InferContext& call) {
  check_along(call, call.attributes<IndexAttributes>().axis, 1);
  call.require_floating(0);
  if (call.dtype(2) != call.dtype(0)) {
    call.fail(ErrorKind::kDType,
              "mixed dtypes: " + call.describe(0) + " and updates " + call.describe(2),
              "convert one with cast(x, DType)");
  }
  if (!(call.shape(2) == call.shape(1))) {
    call.fail(ErrorKind::kShape,
              "the updates are " + call.describe(2) + " for indices " + call.describe(1),
              "each index takes one update");
  }
  call.output(call.dtype(0), call.shape(0));
}

void evaluate_scatter_add(EvalContext& call) {
  const DenseInput x(call.input(0)), indices(call.input(1)), updates(call.input(2));
  const TensorView out = call.output();
  const int axis = call.resolve_axis(call.attributes<IndexAttributes>().axis, out.rank);
  const Lines wide(out, axis), narrow(updates.view(), axis);
  const IndexReader index(call, indices.view(), wide.length);
  if (out.count() > 0) {
    std::memcpy(out.data, x.view().data,
                static_cast<std::size_t>(out.count()) * size_of(out.dtype));
  }
  dispatch_floating(out.dtype, [&]<class T>(T) {
    for (std::int64_t l = 0; l < narrow.count && narrow.length > 0; ++l) {
      for (std::int64_t i = 0; i < narrow.length; ++i) {  // in order: duplicates add up alike
        const std::int64_t at = narrow.start(l) + i * narrow.step;
        out.as<T>()[wide.start(l) + index(at) * wide.step] += updates.view().as<T>()[at];
      }
    }
  });
}

void scatter_add_vjp(VjpContext& c) {
  if (c.needs(0)) c.set(0, c.cotangent());
  if (c.needs(2)) {
    c.set(2, gather(c.cotangent(), c.input(1),
                    static_cast<int>(c.attributes<IndexAttributes>().axis)));
  }
}

void infer_take(InferContext& call) {
  require_indices(call, 1);
  call.output(call.dtype(0), call.shape(1));
}

void evaluate_take(EvalContext& call) {
  const DenseInput x(call.input(0)), indices(call.input(1));
  const TensorView out = call.output();
  const IndexReader index(call, indices.view(), x.view().count());
  dispatch(out.dtype, [&]<class T>(T) {
    const std::int64_t count = out.count();
    for (std::int64_t i = 0; i < count; ++i) out.as<T>()[i] = x.view().as<T>()[index(i)];
  });
}

void take_vjp(VjpContext& c) {
  const Shape flat{element_count(c.shape(0))};
  const Var zeros = Tensor::zeros(c.dtype(0), flat);
  const Var sums = scatter_add(zeros, reshape(c.input(1), {-1}), reshape(c.cotangent(), {-1}), 0);
  c.set(0, reshape(sums, c.shape(0)));
}

void infer_index_select(InferContext& call) {
  const int axis = call.resolve_axis(call.attributes<IndexAttributes>().axis, call.rank(0));
  require_indices(call, 1);
  if (call.rank(1) != 1) {
    call.fail(ErrorKind::kShape, "the indices must be a vector, got " + call.describe(1));
  }
  Shape shape = call.shape(0);
  shape[axis] = call.size(1, 0);
  call.output(call.dtype(0), shape);
}

void evaluate_index_select(EvalContext& call) {
  const DenseInput x(call.input(0)), indices(call.input(1));
  const TensorView out = call.output();
  const int axis = call.resolve_axis(call.attributes<IndexAttributes>().axis, out.rank);
  const std::int64_t size = x.view().sizes[axis], picked = out.sizes[axis];
  std::int64_t outer = 1, inner = static_cast<std::int64_t>(size_of(out.dtype));
  for (int d = 0; d < axis; ++d) outer *= out.sizes[d];
  for (int d = axis + 1; d < out.rank; ++d) inner *= out.sizes[d];
  const IndexReader index(call, indices.view(), size);
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < picked; ++i) {
      const std::int64_t from = index(i);
      if (inner == 0) continue;
      std::memcpy(out.data + (o * picked + i) * inner, x.view().data + (o * size + from) * inner,
                  static_cast<std::size_t>(inner));
    }
  }
}

void index_select_vjp(VjpContext& c) {
  const Var g = c.cotangent();
  const std::int64_t named = c.attributes<IndexAttributes>().axis;
  const int axis = static_cast<int>(named < 0 ? named + g.rank() : named);
  Shape one_axis;
  one_axis.resize(g.rank(), 1);
  one_axis[axis] = g.size(axis);
  const Var indices = broadcast_to(reshape(c.input(1), one_axis), g.shape());
  c.set(0, scatter_add(zeros_like_input(c, 0), indices, g, axis));
}

void infer_one_hot(InferContext& call) {
  const auto& attributes = call.attributes<OneHotAttributes>();
  require_indices(call, 0);
  if (attributes.classes < 1) {
    call.fail(ErrorKind::kValue, std::to_string(attributes.classes) + " classes",
              "there is at least one");
  }
  Shape shape = call.shape(0);
  shape.push_back(attributes.classes);
  call.output(attributes.dtype, shape);
}

void evaluate_one_hot(EvalContext& call) {
  const std::int64_t classes = call.attributes<OneHotAttributes>().classes;
  const DenseInput indices(call.input(0));
  const TensorView out = call.output();
  const IndexReader index(call, indices.view(), classes);
  const std::int64_t count = indices.view().count();
  std::memset(out.data, 0, static_cast<std::size_t>(count * classes) * size_of(out.dtype));
  dispatch(out.dtype, [&]<class T>(T) {
    for (std::int64_t i = 0; i < count; ++i) out.as<T>()[i * classes + index(i)] = T(1);
  });
}

}  // namespace

constinit const OpDef gather_op = {
    .name = "gather",
    .doc = {.summary = "Takes elements at given positions along an axis, line by line.",
            .formula = "y[…, i, …] = x[…, indices[…, i, …], …]",
            .arguments = "x: any dtype; indices: int32 or int64 of x's sizes beside the axis, "
                         "negative from the back, out of range is an error; axis",
            .gradient = "the cotangents added up where their elements came from",
            .source = "elementary"},
    .min_inputs = 2,
    .max_inputs = 2,
    .differentiable = 1,
    .reads = {reads_input(1)},
    .infer = infer_gather,
    .evaluate = evaluate_gather,
    .vjp = gather_vjp,
    .attributes = &attribute_type<IndexAttributes>,
};

constinit const OpDef take_op = {
    .name = "take",
    .doc = {.summary = "Takes elements by their row-major position.",
            .formula = "y[i…] = x.flat[indices[i…]]",
            .arguments = "x: any dtype; indices: int32 or int64 of any shape, negative from the "
                         "back, out of range is an error",
            .gradient = "the cotangents added up where their elements came from",
            .source = "elementary"},
    .min_inputs = 2,
    .max_inputs = 2,
    .differentiable = 1,
    .reads = {reads_input(1)},
    .infer = infer_take,
    .evaluate = evaluate_take,
    .vjp = take_vjp,
};

constinit const OpDef scatter_add_op = {
    .name = "scatter_add",
    .doc = {.summary = "Adds updates at given positions along an axis, line by line.",
            .formula = "y = x; y[…, indices[…, i, …], …] += updates[…, i, …]",
            .arguments = "x: float32 or float64; indices: int32 or int64 of x's sizes beside the "
                         "axis, negative from the back, out of range is an error; updates: of the "
                         "indices' shape and x's dtype; duplicates add up in order",
            .gradient = "∂x: the cotangent; ∂updates: the cotangent gathered at the indices",
            .source = "elementary"},
    .min_inputs = 3,
    .max_inputs = 3,
    .differentiable = 0b101,
    .reads = {0, 0, reads_input(1)},
    .infer = infer_scatter_add,
    .evaluate = evaluate_scatter_add,
    .vjp = scatter_add_vjp,
    .attributes = &attribute_type<IndexAttributes>,
};

constinit const OpDef index_select_op = {
    .name = "index_select",
    .doc = {.summary = "Takes whole slices along an axis.",
            .formula = "y[…, i, …] = x[…, indices[i], …]",
            .arguments = "x: any dtype; indices: a vector of int32 or int64, negative from the "
                         "back, out of range is an error; axis",
            .gradient = "the slices' cotangents added up where they came from",
            .source = "elementary"},
    .min_inputs = 2,
    .max_inputs = 2,
    .differentiable = 1,
    .reads = {reads_input(1)},
    .infer = infer_index_select,
    .evaluate = evaluate_index_select,
    .vjp = index_select_vjp,
    .attributes = &attribute_type<IndexAttributes>,
};

constinit const OpDef one_hot_op = {
    .name = "one_hot",
    .doc = {.summary = "Class indices as rows with a single 1.",
            .formula = "y[…, c] = 1 where c = indices[…], else 0",
            .arguments = "indices: int32 or int64, negative from the back, out of range is an "
                         "error; classes ≥ 1; dtype: of the result",
            .gradient = "none: indices have no gradient",
            .source = "elementary"},
    .infer = infer_one_hot,
    .evaluate = evaluate_one_hot,
    .attributes = &attribute_type<OneHotAttributes>,
};

}  // namespace ops

Var gather(const Var& x, const Var& indices, int axis, std::source_location where) {
  return apply(ops::gather_op, {&x, &indices}, ops::IndexAttributes{axis}, where);
}

Var take(const Var& x, const Var& indices, std::source_location where) {
  return apply(ops::take_op, x, indices, where);
}

Var scatter_add(const Var& x, const Var& indices, const Var& updates, int axis,
                std::source_location where) {
  return apply(ops::scatter_add_op, {&x, &indices, &updates}, ops::IndexAttributes{axis}, where);
}

Var index_select(const Var& x, const Var& indices, int axis, std::source_location where) {
  return apply(ops::index_select_op, {&x, &indices}, ops::IndexAttributes{axis}, where);
}

Var one_hot(const Var& indices, std::int64_t classes, DType dtype, std::source_location where) {
  return apply(ops::one_hot_op, {&indices}, ops::OneHotAttributes{classes, dtype}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/shape/shape_tests.h"

namespace {
std::int64_t wrap(double index, std::int64_t size) {
  const auto i = static_cast<std::int64_t>(index);
  return i < 0 ? i + size : i;
}
const wengert::Tensor& sample_indices() {
  static const wengert::Tensor indices =
      wengert::Tensor::from<std::int64_t>({2, 0, 0, -1, 3, 3}, {2, 3});
  return indices;
}
}  // namespace

WENGERT_OP_TESTS(gather) {
  OpTests tests = moving_tests();
  for (const DType dtype : {DType::kInt64, DType::kInt32}) {
    add_sample(
        tests, std::string("last axis, ") + std::string(name_of(dtype)),
        {spread({2, 4}, -1, 1), sample_indices().to(dtype)},
        [](std::span<const Var> x) { return gather(x[0], x[1], -1); },
        [](std::span<const Tensor> x) {
          return by_index({2, 3}, [&](const Dims& i) {
            return element(x[0], {i[0], wrap(element(x[1], i), 4)});
          });
        });
  }
  add_sample(
      tests, "first axis", {spread({4, 3}, -1, 1), sample_indices()},
      [](std::span<const Var> x) { return gather(x[0], x[1], 0); },
      [](std::span<const Tensor> x) {
        return by_index({2, 3}, [&](const Dims& i) {
          return element(x[0], {wrap(element(x[1], i), 4), i[1]});
        });
      });
  tests.rejected = {{"index",
                     [] {
                       gather(zeros32({2, 3}), sample_indices(), 1);
                     },
                     ErrorKind::kIndex, "index 3 at position 4 is out of range for size 3"},
                    {"shapes",
                     [] {
                       gather(zeros32({3, 4}), sample_indices(), 1);
                     },
                     ErrorKind::kShape, "x is f32[3,4] but the indices are i64[2,3]"},
                    {"dtype",
                     [] {
                       gather(zeros32({2, 4}), zeros32({2, 3}), 1);
                     },
                     ErrorKind::kDType, "indices must be int32 or int64, got f32[2,3]"}};
  return tests;
}

WENGERT_OP_TESTS(take) {
  OpTests tests = moving_tests();
  add_sample(
      tests, "of a matrix", {spread({2, 2}, -1, 1), sample_indices()},
      [](std::span<const Var> x) { return take(x[0], x[1]); },
      [](std::span<const Tensor> x) {
        return by_index({2, 3}, [&](const Dims& i) { return x[0].at(wrap(element(x[1], i), 4)); });
      });
  tests.rejected = {{"index", [] { take(zeros32({3}), sample_indices()); }, ErrorKind::kIndex,
                     "index 3 at position 4 is out of range for size 3"},
                    {"dtype", [] { take(zeros32({3}), zeros32({2})); }, ErrorKind::kDType,
                     "indices must be int32 or int64, got f32[2]"},
                    {"empty", [] { take(zeros32({0}), sample_indices()); }, ErrorKind::kIndex,
                     "index 2 at position 0 is out of range for size 0"}};
  return tests;
}

WENGERT_OP_TESTS(scatter_add) {
  OpTests tests = moving_tests();
  add_sample(
      tests, "with duplicates", {spread({2, 4}, -1, 1), sample_indices(), spread({2, 3}, -1, 1, 2)},
      [](std::span<const Var> x) { return scatter_add(x[0], x[1], x[2], 1); },
      [](std::span<const Tensor> x) {
        return by_index({2, 4}, [&](const Dims& i) {
          double total = element(x[0], i);
          for (std::int64_t k = 0; k < 3; ++k) {
            if (wrap(element(x[1], {i[0], k}), 4) == i[1]) total += element(x[2], {i[0], k});
          }
          return total;
        });
      });
  tests.rejected = {
      {"index",
       [] {
         scatter_add(zeros32({2, 3}), sample_indices(), zeros32({2, 3}), 1);
       },
       ErrorKind::kIndex, "index 3 at position 4 is out of range for size 3"},
      {"updates",
       [] {
         scatter_add(zeros32({2, 4}), sample_indices(), zeros32({2, 4}), 1);
       },
       ErrorKind::kShape, "the updates are f32[2,4] for indices i64[2,3]"},
      {"dtype",
       [] {
         scatter_add(zeros32({2, 4}), sample_indices(), Tensor::zeros(DType::kFloat64, {2, 3}), 1);
       },
       ErrorKind::kDType, "mixed dtypes: f32[2,4] and updates f64[2,3]"}};
  return tests;
}

WENGERT_OP_TESTS(index_select) {
  OpTests tests = moving_tests();
  const Tensor rows = Tensor::from<std::int32_t>({1, -1, 1}, {3});
  for (const int axis : {0, 1}) {
    add_sample(
        tests, "axis " + std::to_string(axis), {spread({2, 3}, -1, 1), rows},
        [=](std::span<const Var> x) { return index_select(x[0], x[1], axis); },
        [=](std::span<const Tensor> x) {
          const Shape shape = axis == 0 ? Shape{3, 3} : Shape{2, 3};
          return by_index(shape, [&](const Dims& i) {
            Dims from = i;
            from[axis] = wrap(x[1].at(i[axis]), x[0].shape()[axis]);
            return element(x[0], from);
          });
        });
  }
  tests.rejected = {{"index",
                     [=] {
                       index_select(zeros32({1, 3}), rows);
                     },
                     ErrorKind::kIndex, "index 1 at position 0 is out of range for size 1"},
                    {"rank",
                     [] {
                       index_select(zeros32({4, 3}), sample_indices());
                     },
                     ErrorKind::kShape, "the indices must be a vector, got i64[2,3]"},
                    {"axis", [=] { index_select(zeros32({4}), rows, 1); }, ErrorKind::kAxis,
                     "axis 1 is out of range for rank 1"}};
  return tests;
}

WENGERT_OP_TESTS(one_hot) {
  OpTests tests;
  tests.order = 0;
  add_sample(
      tests, "matrix of indices", {sample_indices()},
      [](std::span<const Var> x) { return one_hot(x[0], 4, DType::kFloat64); },
      [](std::span<const Tensor> x) {
        return by_index({2, 3, 4}, [&](const Dims& i) {
          return wrap(element(x[0], {i[0], i[1]}), 4) == i[2] ? 1.0 : 0.0;
        });
      });
  tests.rejected = {
      {"index", [] { one_hot(sample_indices(), 3); }, ErrorKind::kIndex,
       "index 3 at position 4 is out of range for size 3"},
      {"classes", [] { one_hot(sample_indices(), 0); }, ErrorKind::kValue, "0 classes"},
      {"dtype", [] { one_hot(zeros32({2}), 3); }, ErrorKind::kDType,
       "indices must be int32 or int64, got f32[2]"}};
  return tests;
}
#endif
