#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <algorithm>

#include "wengert/ops/composite.h"
#include "wengert/ops/dense_input.h"
#include "wengert/ops/reduction/axes.h"

namespace wengert {
namespace ops {
namespace {

struct DiagonalAttributes {
  std::int64_t offset = 0, first_axis = -2, second_axis = -1;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("offset", self.offset);
    v("first_axis", self.first_axis);
    v("second_axis", self.second_axis);
  }
};

struct OffsetAttributes {
  std::int64_t offset = 0;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("offset", self.offset);
  }
};

/// The diagonal as a view of a tensor with these strides; the diagonal's axis comes last.
struct DiagonalView {
  Shape shape;
  Strides strides;
  std::int64_t offset = 0;
  DiagonalView(const Shape& sizes, const Strides& own, int a, int b, std::int64_t diagonal) {
    for (int d = 0; d < sizes.size(); ++d) {
      if (d == a || d == b) continue;
      shape.push_back(sizes[d]);
      strides.push_back(own[d]);
    }
    const std::int64_t rows = sizes[a], columns = sizes[b];
    diagonal = std::clamp(diagonal, -rows, columns);
    const std::int64_t first_row = std::max<std::int64_t>(0, -diagonal);
    const std::int64_t first_column = std::max<std::int64_t>(0, diagonal);
    shape.push_back(std::max<std::int64_t>(0, std::min(rows - first_row, columns - first_column)));
    // Strides of what has no elements may be of any size.
    const bool any = element_count(shape) > 0;
    strides.push_back(any ? own[a] + own[b] : 0);
    if (any) offset = first_row * own[a] + first_column * own[b];
  }
};

void infer_diagonal(InferContext& call) {
  const int a = call.canonical_axis(&DiagonalAttributes::first_axis, call.rank(0));
  const int b = call.canonical_axis(&DiagonalAttributes::second_axis, call.rank(0));
  if (a == b) {
    call.fail(ErrorKind::kAxis, "both axes are " + std::to_string(a), "a diagonal needs two");
  }
  const DiagonalView view(call.shape(0), call.strides(0), a, b,
                          call.attributes<DiagonalAttributes>().offset);
  call.output_view(0, view.shape, view.strides, view.offset);
}

void diagonal_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<DiagonalAttributes>();
  const Shape shape = c.shape(0);
  const DiagonalView view(shape, dense_strides(shape), static_cast<int>(attributes.first_axis),
                          static_cast<int>(attributes.second_axis), attributes.offset);
  c.set(0, place_view(c.cotangent(), shape, view.strides, view.offset));
}

void infer_triangle(InferContext& call) {
  if (call.rank(0) < 2) {
    call.fail(ErrorKind::kShape, "needs a matrix, got " + call.describe(0));
  }
  call.output(call.dtype(0), call.shape(0));
}

template <bool kLower>
void evaluate_triangle(EvalContext& call) {
  const std::int64_t offset = call.attributes<OffsetAttributes>().offset;
  const DenseInput x(call.input(0));
  const TensorView out = call.output();
  const std::int64_t rows = out.sizes[out.rank - 2], columns = out.sizes[out.rank - 1];
  const std::int64_t count = out.count();
  dispatch(out.dtype, [&]<class T>(T) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t above = i % columns - i / columns % rows;
      const bool kept = kLower ? above <= offset : above >= offset;
      out.as<T>()[i] = kept ? x.view().as<T>()[i] : T(0);
    }
  });
}

void tril_vjp(VjpContext& c) {
  c.set(0, tril(c.cotangent(), c.attributes<OffsetAttributes>().offset));
}
void triu_vjp(VjpContext& c) {
  c.set(0, triu(c.cotangent(), c.attributes<OffsetAttributes>().offset));
}

constexpr OpDef triangle(std::string_view name, void (*evaluate)(EvalContext&),
                         void (*vjp)(VjpContext&), const Documentation& doc) {
  OpDef def;
  def.name = name;
  def.doc = doc;
  def.differentiable = 1;
  def.linear = {1};
  def.infer = infer_triangle;
  def.evaluate = evaluate;
  def.vjp = vjp;
  def.attributes = &attribute_type<OffsetAttributes>;
  def.default_attributes = &default_attributes_of<OffsetAttributes>;
  return def;
}

Var expand_trace(const ExpandContext& call) {
  if (call.rank(0) < 2) {
    call.fail(ErrorKind::kShape, "needs a matrix, got " + call.describe(0));
  }
  require_number(call);
  const std::int64_t offset = call.attributes<OffsetAttributes>().offset;
  return sum(diagonal(call.operand(0), offset, -2, -1, call.where()), {-1}, false, call.where());
}

}  // namespace

constinit const OpDef diagonal_op = {
    .name = "diagonal",
    .doc = {.summary = "A diagonal of two axes, as the last axis of the result.",
            .formula = "y[…, k] = x[…, k, …, k + offset, …] (rows shifted for a negative offset)",
            .arguments = "x: any dtype, rank ≥ 2; offset: above (positive) or below the main "
                         "diagonal; first_axis, second_axis: the last two unless said otherwise. A "
                         "view",
            .gradient = "the cotangent put on the diagonal of zeros",
            .source = "elementary"},
    .differentiable = 1,
    .linear = {1},
    .infer = infer_diagonal,
    .vjp = diagonal_vjp,
    .attributes = &attribute_type<DiagonalAttributes>,
    .default_attributes = &default_attributes_of<DiagonalAttributes>,
};

constinit const OpDef tril_op =
    triangle("tril", evaluate_triangle<true>, tril_vjp,
             {.summary = "The lower triangle of the last two axes, zeros above it.",
              .formula = "y[…, i, j] = x[…, i, j] where j − i ≤ offset, else 0",
              .arguments = "x: any dtype, rank ≥ 2; offset: moves the boundary up",
              .gradient = "the same triangle of the cotangent",
              .source = "elementary"});

constinit const OpDef triu_op =
    triangle("triu", evaluate_triangle<false>, triu_vjp,
             {.summary = "The upper triangle of the last two axes, zeros below it.",
              .formula = "y[…, i, j] = x[…, i, j] where j − i ≥ offset, else 0",
              .arguments = "x: any dtype, rank ≥ 2; offset: moves the boundary up",
              .gradient = "the same triangle of the cotangent",
              .source = "elementary"});

constinit const OpDef trace_op = composite(
    "trace", 1, 1, 1, expand_trace, &attribute_type<OffsetAttributes>,
    &default_attributes_of<OffsetAttributes>,
    {.summary = "Sum of a diagonal of the last two axes.",
     .formula = "y[…] = Σₖ x[…, k, k + offset]",
     .arguments = "x: float32 or float64 (integers sum to int64), rank ≥ 2; offset: which "
                  "diagonal. Recorded as diagonal and sum",
     .gradient = "the cotangent on the diagonal of zeros",
     .source = "elementary"});

}  // namespace ops

Var diagonal(const Var& x, std::int64_t offset, int first_axis, int second_axis,
             std::source_location where) {
  return apply(ops::diagonal_op, {&x}, ops::DiagonalAttributes{offset, first_axis, second_axis},
               where);
}

Var tril(const Var& x, std::int64_t offset, std::source_location where) {
  return apply(ops::tril_op, {&x}, ops::OffsetAttributes{offset}, where);
}

Var triu(const Var& x, std::int64_t offset, std::source_location where) {
  return apply(ops::triu_op, {&x}, ops::OffsetAttributes{offset}, where);
}

Var trace(const Var& x, std::int64_t offset, std::source_location where) {
  return apply(ops::trace_op, {&x}, ops::OffsetAttributes{offset}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/shape/shape_tests.h"

WENGERT_OP_TESTS(diagonal) {
  OpTests tests = moving_tests();
  for (const std::int64_t offset : {0, 1, -2, 9}) {
    const std::int64_t length = offset == 0 ? 3 : offset == 1 ? 3 : offset == -2 ? 1 : 0;
    add_sample(
        tests, "offset " + std::to_string(offset), {spread({3, 4}, -1, 1)},
        [=](std::span<const Var> x) { return diagonal(x[0], offset); },
        [=](std::span<const Tensor> x) {
          return by_index({length}, [&](const Dims& k) {
            return element(x[0], {k[0] - std::min<std::int64_t>(0, offset),
                                  k[0] + std::max<std::int64_t>(0, offset)});
          });
        });
  }
  for (const Shape& shape : {Shape{30, 1001}, Shape{1001, 30}}) {
    add_sample(
        tests, "of " + to_string(shape), {spread(shape, -1, 1)},
        [](std::span<const Var> x) { return diagonal(x[0]); },
        [](std::span<const Tensor> x) {
          return by_index({30}, [&](const Dims& k) { return element(x[0], {k[0], k[0]}); });
        });
  }
  add_sample(
      tests, "outer axes", {spread({3, 2, 3}, -1, 1)},
      [](std::span<const Var> x) { return diagonal(x[0], 0, 0, 2); },
      [](std::span<const Tensor> x) {
        return by_index({2, 3}, [&](const Dims& i) { return element(x[0], {i[1], i[0], i[1]}); });
      });
  tests.rejected = {{"rank", [] { return diagonal(zeros32({3})); }, ErrorKind::kAxis,
                     "axis -2 is out of range for rank 1"},
                    {"same",
                     [] {
                       return diagonal(zeros32({3, 3}), 0, 1, 1);
                     },
                     ErrorKind::kAxis, "both axes are 1"},
                    {"range",
                     [] {
                       return diagonal(zeros32({3, 3}), 0, 0, 2);
                     },
                     ErrorKind::kAxis, "axis 2 is out of range for rank 2"}};
  return tests;
}

namespace {
template <bool kLower>
wengert::testing::OpTests triangle_tests(wengert::Var (*op)(const wengert::Var&, std::int64_t,
                                                            std::source_location)) {
  using namespace wengert;
  testing::OpTests tests = testing::moving_tests();
  const auto here = std::source_location::current();
  for (const std::int64_t offset : {0, 1, -1}) {
    for (const Shape& shape :
         {Shape{3, 4}, Shape{2, 3, 3}, Shape{0, 2}, Shape{90, 101}, Shape{1001, 3, 3}}) {
      testing::add_sample(
          tests, to_string(shape) + " offset " + std::to_string(offset),
          {testing::spread(shape, -1, 1)},
          [=](std::span<const Var> x) { return op(x[0], offset, here); },
          [=](std::span<const Tensor> x) {
            return testing::by_index(shape, [&](const Dims& i) {
              const std::int64_t row = i[i.size() - 2], column = i[i.size() - 1];
              const bool kept = kLower ? column <= row + offset : column >= row + offset;
              return kept ? testing::element(x[0], i) : 0.0;
            });
          });
    }
  }
  tests.rejected = {{"vector", [=] { return op(testing::zeros32({3}), 0, here); },
                     ErrorKind::kShape, "needs a matrix, got f32[3]"},
                    {"scalar", [=] { return op(testing::zeros32({}), 0, here); }, ErrorKind::kShape,
                     "needs a matrix, got f32[]"},
                    {"empty Var", [=] { return op(Var(), 0, here); }, ErrorKind::kGraph,
                     "input 0 is an empty Var"}};
  return tests;
}
}  // namespace

WENGERT_OP_TESTS(tril) { return triangle_tests<true>(wengert::tril); }
WENGERT_OP_TESTS(triu) { return triangle_tests<false>(wengert::triu); }

WENGERT_OP_TESTS(trace) {
  OpTests tests = moving_tests();
  for (const std::int64_t offset : {0, 1, -1}) {
    add_sample(
        tests, "offset " + std::to_string(offset), {spread({2, 3, 3}, -1, 1)},
        [=](std::span<const Var> x) { return trace(x[0], offset); },
        [=](std::span<const Tensor> x) {
          return by_index({2}, [&](const Dims& b) {
            double total = 0;
            for (std::int64_t i = 0; i < 3; ++i) {
              if (i + offset >= 0 && i + offset < 3) total += element(x[0], {b[0], i, i + offset});
            }
            return total;
          });
        });
  }
  add_sample(
      tests, "long", {spread({3, 70, 70}, -1, 1)},
      [](std::span<const Var> x) { return trace(x[0]); },
      [](std::span<const Tensor> x) {
        return by_index({3}, [&](const Dims& b) {
          double total = 0;
          for (std::int64_t i = 0; i < 70; ++i) total += element(x[0], {b[0], i, i});
          return total;
        });
      });
  tests.samples.back().scale = 8;
  tests.rejected = {
      {"vector", [] { return trace(zeros32({3})); }, ErrorKind::kShape,
       "needs a matrix, got f32[3]"},
      {"scalar", [] { return trace(zeros32({})); }, ErrorKind::kShape, "needs a matrix, got f32[]"},
      {"empty Var", [] { return trace(Var()); }, ErrorKind::kGraph, "input 0 is an empty Var"}};
  return tests;
}
#endif
