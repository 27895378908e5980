#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <cstring>
#include <vector>

#include "wengert/ops/composite.h"
#include "wengert/ops/dense_input.h"

namespace wengert {
namespace ops {
namespace {

struct ConcatAttributes {
  std::int64_t axis = 0;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("axis", self.axis);
  }
};

struct SplitAttributes {
  std::int64_t sections, axis;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("sections", self.sections);
    v("axis", self.axis);
  }
};

void infer_concat(InferContext& call) {
  const int axis = call.canonical_axis(&ConcatAttributes::axis, call.rank(0));
  call.require_same_dtype(0, call.input_count() - 1);
  Shape shape = call.shape(0);
  for (int i = 1; i < call.input_count(); ++i) {
    bool fits = call.rank(i) == shape.size();
    for (int d = 0; fits && d < shape.size(); ++d) fits = d == axis || call.size(i, d) == shape[d];
    if (!fits) {
      call.fail(ErrorKind::kShape,
                call.describe(0) + " and " + call.describe(i) + " differ beside axis " +
                    std::to_string(axis),
                call.rank(i) == shape.size()
                    ? "sizes may differ along that axis alone: slice, pad or take another axis"
                    : "expand_dims gives the axis that is missing; stack joins along a new one");
    }
    if (__builtin_add_overflow(shape[axis], call.size(i, axis), &shape[axis])) {
      call.fail(ErrorKind::kShape, "the size of axis " + std::to_string(axis) + " overflows");
    }
  }
  call.output(call.dtype(0), shape);
}

void evaluate_concat(EvalContext& call) {
  const TensorView out = call.output();
  if (out.count() == 0) return;
  const int axis = static_cast<int>(call.attributes<ConcatAttributes>().axis);
  std::int64_t outer = 1;
  for (int d = 0; d < axis; ++d) outer *= out.sizes[d];
  const auto row = out.count() / outer * static_cast<std::int64_t>(size_of(out.dtype));
  std::int64_t position = 0;
  for (int i = 0; i < call.input_count(); ++i) {
    const DenseInput x(call.input(i));
    const std::int64_t piece =
        x.view().count() / outer * static_cast<std::int64_t>(size_of(out.dtype));
    for (std::int64_t o = 0; o < outer && piece > 0; ++o) {
      std::memcpy(out.data + o * row + position, x.view().data + o * piece,
                  static_cast<std::size_t>(piece));
    }
    position += piece;
  }
}

void concat_vjp(VjpContext& c) {
  const Var g = c.cotangent();
  const int axis = static_cast<int>(c.attributes<ConcatAttributes>().axis);
  std::int64_t position = 0;
  for (int i = 0; i < c.input_count(); ++i) {
    const std::int64_t size = c.shape(i)[axis];
    if (c.needs(i)) c.set(i, slice(g, {position}, {position + size}, {axis}));
    position += size;
  }
}

void infer_split(InferContext& call) {
  const int axis = call.canonical_axis(&SplitAttributes::axis, call.rank(0));
  const auto& attributes = call.attributes<SplitAttributes>();
  const std::int64_t size = call.size(0, axis);
  if (attributes.sections < 1 || attributes.sections > 65535 || size % attributes.sections != 0) {
    call.fail(ErrorKind::kShape,
              "axis " + std::to_string(axis) + " of " + call.describe(0) +
                  " does not divide into " + std::to_string(attributes.sections) +
                  " equal sections",
              "slice takes parts of any size");
  }
  Shape shape = call.shape(0);
  shape[axis] = size / attributes.sections;
  const Strides strides = call.strides(0);
  const bool empty = element_count(shape) == 0;
  for (std::int64_t k = 0; k < attributes.sections; ++k) {
    call.output_view(0, shape, strides, empty ? 0 : k * shape[axis] * strides[axis]);
  }
}

void split_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<SplitAttributes>();
  std::vector<Var> parts;
  for (std::int64_t k = 0; k < attributes.sections; ++k) {
    Var part = c.cotangent(static_cast<int>(k));
    if (!part.has_value()) part = Tensor::zeros(c.output_shape(static_cast<int>(k)), c.dtype(0));
    parts.push_back(std::move(part));
  }
  c.set(0, concat(parts, static_cast<int>(attributes.axis)));
}

Var expand_stack(const ExpandContext& call) {
  const std::int64_t axis = call.attributes<ConcatAttributes>().axis;
  if (call.rank(0) == kMaxRank) {
    call.fail(ErrorKind::kShape, call.describe(0) + " has the highest rank already",
              "concat joins along an axis that exists");
  }
  const int at = call.resolve_axis(axis, call.rank(0) + 1);
  call.require_same_dtype(0, call.input_count() - 1);
  std::vector<Var> expanded;
  for (int i = 0; i < call.input_count(); ++i) {
    if (!(call.shape(i) == call.shape(0))) {
      call.fail(ErrorKind::kShape,
                "shapes differ: " + call.describe(0) + " and " + call.describe(i),
                "concat joins along an axis that exists");
    }
    expanded.push_back(expand_dims(call.operand(i), at, call.where()));
  }
  return concat(expanded, at, call.where());
}

}  // namespace

constinit const OpDef concat_op = {
    .name = "concat",
    .doc = {.summary = "Joins tensors along an existing axis.",
            .formula = "y[…, i, …] = xₖ[…, i − start of k, …]",
            .arguments = "inputs: one or more of one dtype, equal beside the axis; axis: negative "
                         "from the back",
            .gradient = "each input gets its part of the cotangent",
            .source = "elementary"},
    .min_inputs = 1,
    .max_inputs = -1,
    .differentiable = kAllInputs,
    .linear = {kAllInputs},
    .infer = infer_concat,
    .evaluate = evaluate_concat,
    .vjp = concat_vjp,
    .attributes = &attribute_type<ConcatAttributes>,
    .default_attributes = &default_attributes_of<ConcatAttributes>,
};

constinit const OpDef split_op = {
    .name = "split",
    .doc = {.summary = "Cuts a tensor into equal sections along an axis; several outputs.",
            .formula = "yₖ[…, i, …] = x[…, k·size + i, …]",
            .arguments = "x: any dtype; sections: divides the axis; axis: negative from the back. "
                         "Views",
            .gradient = "the sections' cotangents joined, zeros where a section was not used",
            .source = "elementary"},
    .differentiable = 1,
    .linear = {1},
    .infer = infer_split,
    .vjp = split_vjp,
    .attributes = &attribute_type<SplitAttributes>,
};

constinit const OpDef stack_op = composite(
    "stack", 1, -1, kAllInputs, expand_stack, &attribute_type<ConcatAttributes>,
    &default_attributes_of<ConcatAttributes>,
    {.summary = "Joins tensors of one shape along a new axis.",
     .formula = "y[…, k, …] = xₖ[…]",
     .arguments = "inputs: one or more of one dtype and shape, rank < 8; axis: of the result, "
                  "negative from the back. Recorded as expand_dims and concat",
     .gradient = "each input gets its slice of the cotangent",
     .source = "elementary"});

}  // namespace ops

Var concat(const VarList& inputs, int axis, std::source_location where) {
  std::vector<const Var*> pointers;
  for (const Var& input : inputs) pointers.push_back(&input);
  const ops::ConcatAttributes attributes{axis};
  return apply(ops::concat_op, pointers, &attributes, where);
}

std::vector<Var> split(const Var& x, std::int64_t sections, int axis, std::source_location where) {
  const Var* inputs[] = {&x};
  const ops::SplitAttributes attributes{sections, axis};
  return apply_multiple(ops::split_op, inputs, &attributes, where);
}

Var stack(const VarList& inputs, int axis, std::source_location where) {
  std::vector<const Var*> pointers;
  for (const Var& input : inputs) pointers.push_back(&input);
  const ops::ConcatAttributes attributes{axis};
  return apply(ops::stack_op, pointers, &attributes, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/shape/shape_tests.h"

WENGERT_OP_TESTS(concat) {
  OpTests tests = moving_tests();
  add_sample(
      tests, "columns", {spread({2, 1}, -1, 1), spread({2, 3}, -1, 1, 2), spread({2, 0}, 0, 1)},
      [](std::span<const Var> x) { return concat(x, -1); },
      [](std::span<const Tensor> x) {
        return by_index({2, 4}, [&](const Dims& i) {
          return i[1] == 0 ? element(x[0], {i[0], 0}) : element(x[1], {i[0], i[1] - 1});
        });
      });
  add_sample(
      tests, "rows", {spread({1, 2, 2}, -1, 1), spread({2, 2, 2}, -1, 1, 2)},
      [](std::span<const Var> x) { return concat(x); },
      [](std::span<const Tensor> x) {
        return by_index({3, 2, 2}, [&](const Dims& i) {
          return i[0] == 0 ? element(x[0], i) : element(x[1], {i[0] - 1, i[1], i[2]});
        });
      });
  for (const int axis : {0, 1}) {
    const Shape first = axis == 0 ? Shape{6001, 3} : Shape{3, 6001};
    Shape second = first, whole = first;
    second[axis] = 4001;
    whole[axis] += 4001;
    add_sample(
        tests, "long, axis " + std::to_string(axis),
        {spread(first, -1, 1), spread(second, -1, 1, 2)},
        [=](std::span<const Var> x) { return concat(x, axis); },
        [=](std::span<const Tensor> x) {
          return by_index(whole, [&](const Dims& i) {
            Dims from = i;
            if (i[axis] < 6001) return element(x[0], from);
            from[axis] -= 6001;
            return element(x[1], from);
          });
        });
  }
  tests.rejected = {{"shapes",
                     [] {
                       return concat({zeros32({2, 3}), zeros32({3, 3})}, 1);
                     },
                     ErrorKind::kShape, "f32[2,3] and f32[3,3] differ beside axis 1"},
                    {"axis",
                     [] {
                       return concat({zeros32({2, 3})}, 2);
                     },
                     ErrorKind::kAxis, "axis 2 is out of range for rank 2"},
                    {"none", [] { return concat({}); }, ErrorKind::kValue, "0 inputs"},
                    {"dtypes",
                     [] {
                       return concat({zeros32({2}), Tensor::zeros({2}, DType::kInt32)});
                     },
                     ErrorKind::kDType, "mixed dtypes: f32[2] and i32[2]"}};
  return tests;
}

WENGERT_OP_TESTS(stack) {
  OpTests tests = moving_tests();
  for (const auto& [axis, each] : std::vector<std::pair<int, Shape>>{
           {0, {2, 3}}, {1, {2, 3}}, {-1, {2, 3}}, {0, {3, 4001}}, {-1, {4001, 3}}}) {
    add_sample(
        tests, to_string(each) + " axis " + std::to_string(axis),
        {spread(each, -1, 1), spread(each, -1, 1, 2)},
        [axis = axis](std::span<const Var> x) { return stack(x, axis); },
        [axis = axis](std::span<const Tensor> x) {
          const int at = axis < 0 ? axis + 3 : axis;
          Shape shape = x[0].shape();
          shape.insert(at, 2);
          return by_index(shape, [&](const Dims& i) {
            Dims rest = i;
            rest.erase(at);
            return element(x[static_cast<std::size_t>(i[at])], rest);
          });
        });
  }
  tests.rejected = {{"shapes",
                     [] {
                       return stack({zeros32({2}), zeros32({3})});
                     },
                     ErrorKind::kShape, "shapes differ: f32[2] and f32[3]"},
                    {"none", [] { return stack({}); }, ErrorKind::kValue, "0 inputs"},
                    {"axis", [] { return stack({zeros32({2})}, 2); }, ErrorKind::kAxis,
                     "axis 2 is out of range for rank 2"}};
  return tests;
}

WENGERT_OP_TESTS(split) {
  OpTests tests = moving_tests();
  const auto add = [&](const Shape& shape, std::int64_t sections, int axis) {
    Sample sample;
    sample.name = to_string(shape) + " into " + std::to_string(sections);
    sample.inputs = {spread(shape, -1, 1)};
    sample.call = [=](std::span<const Var> x) { return split(x[0], sections, axis); };
    sample.reference = [=](std::span<const Tensor> x) {
      std::vector<Tensor> parts;
      Shape part = shape;
      const int at = axis < 0 ? axis + shape.size() : axis;
      part[at] /= sections;
      for (std::int64_t k = 0; k < sections; ++k) {
        parts.push_back(by_index(part, [&](const Dims& i) {
          Dims from = i;
          from[at] += k * part[at];
          return element(x[0], from);
        }));
      }
      return parts;
    };
    sample.scale = 1;
    tests.samples.push_back(std::move(sample));
  };
  add({6}, 3, 0);
  add({2, 4}, 2, -1);
  add({4, 3}, 1, 0);
  add({0, 3}, 2, 0);
  add({9003, 3}, 3, 0);
  add({3, 9003}, 3, 1);
  tests.rejected = {{"division", [] { return split(zeros32({5}), 2); }, ErrorKind::kShape,
                     "axis 0 of f32[5] does not divide into 2 equal sections"},
                    {"sections", [] { return split(zeros32({5}), 0); }, ErrorKind::kShape,
                     "axis 0 of f32[5] does not divide into 0 equal sections"},
                    {"axis", [] { return split(zeros32({5}), 5, 1); }, ErrorKind::kAxis,
                     "axis 1 is out of range for rank 1"}};
  return tests;
}
#endif
