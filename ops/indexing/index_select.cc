#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <cstring>
#include <vector>

#include "wengert/ops/dense_input.h"
#include "wengert/ops/indexing/indices.h"

namespace wengert {
namespace ops {
namespace {

void infer_index_select(InferContext& call) {
  const int axis = call.canonical_axis(&IndexAttributes::axis, call.rank(0));
  require_indices(call, 1);
  if (call.rank(1) != 1) {
    call.fail(ErrorKind::kShape, "the indices must be a vector, got " + call.describe(1),
              "take puts rows into the place of indices of any shape, gather takes one element for "
              "each");
  }
  Shape shape = call.shape(0);
  shape[axis] = call.size(1, 0);
  call.output(call.dtype(0), shape);
}

void evaluate_index_select(EvalContext& call) {
  const DenseInput x(call.input(0)), indices(call.input(1));
  const TensorView out = call.output();
  const int axis = static_cast<int>(call.attributes<IndexAttributes>().axis);
  const std::int64_t size = x.view().sizes[axis], picked = out.sizes[axis];
  const IndexReader index(call, indices.view(), size);
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < picked; ++i) rows.push_back(index(i));
  if (out.count() == 0) return;
  std::int64_t outer = 1, inner = static_cast<std::int64_t>(size_of(out.dtype));
  for (int d = 0; d < axis; ++d) outer *= out.sizes[d];
  for (int d = axis + 1; d < out.rank; ++d) inner *= out.sizes[d];
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < picked; ++i) {
      const std::int64_t from = rows[static_cast<std::size_t>(i)];
      std::memcpy(out.data + (o * picked + i) * inner, x.view().data + (o * size + from) * inner,
                  static_cast<std::size_t>(inner));
    }
  }
}

void index_select_vjp(VjpContext& c) {
  const Var g = c.cotangent();
  const int axis = static_cast<int>(c.attributes<IndexAttributes>().axis);
  if (axis == 0 && c.takes_rows(0)) return c.add_rows(0, c.input(1), g);
  c.set(0, add_slices(c, 0, c.input(1), g, axis));
}

}  // namespace

Var add_slices(const VjpContext& c, int i, const Var& indices, const Var& g, int axis) {
  Shape one_axis;
  one_axis.resize(g.rank(), 1);
  one_axis[axis] = g.size(axis);
  const Var places = broadcast_to(reshape(indices, one_axis), g.shape());
  return scatter_add(Tensor::zeros(c.shape(i), c.dtype(i)), places, g, axis);
}

constinit const OpDef index_select_op = {
    .name = "index_select",
    .doc = {.summary = "Takes whole slices along an axis.",
            .formula = "y[…, i, …] = x[…, indices[i], …]",
            .arguments = "x: any dtype; indices: a vector of int32 or int64, negative from the "
                         "back, out of range is an error; axis",
            .gradient = "the slices' cotangents added up where they came from; a leaf gets those "
                        "along axis 0 as rows",
            .source = "elementary"},
    .min_inputs = 2,
    .max_inputs = 2,
    .differentiable = 1,
    .reads = {reads_input(1)},
    .linear = {1},
    .infer = infer_index_select,
    .evaluate = evaluate_index_select,
    .vjp = index_select_vjp,
    .attributes = &attribute_type<IndexAttributes>,
    .default_attributes = &default_attributes_of<IndexAttributes>,
};

}  // namespace ops

Var index_select(const Var& x, const Var& indices, int axis, std::source_location where) {
  return apply(ops::index_select_op, {&x, &indices}, ops::IndexAttributes{axis}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/indexing/index_tests.h"

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
  for (const int axis : {0, 1}) {
    const Shape from = axis == 0 ? Shape{3001, 3} : Shape{3, 3001};
    Shape to = from;
    to[axis] = 7001;
    add_sample(
        tests, "long, axis " + std::to_string(axis),
        {spread(from, -1, 1), long_indices({7001}, 3001)},
        [=](std::span<const Var> x) { return index_select(x[0], x[1], axis); },
        [=](std::span<const Tensor> x) {
          return by_index(to, [&](const Dims& i) {
            Dims at = i;
            at[axis] = wrap(x[1].at(i[axis]), 3001);
            return element(x[0], at);
          });
        });
  }
  tests.rejected = {{"index",
                     [=] {
                       return index_select(zeros32({1, 3}), rows);
                     },
                     ErrorKind::kIndex, "index 1 at position 0 is out of range for size 1"},
                    {"rank",
                     [] {
                       return index_select(zeros32({4, 3}), sample_indices());
                     },
                     ErrorKind::kShape, "the indices must be a vector, got i64[2,3]"},
                    {"axis", [=] { return index_select(zeros32({4}), rows, 1); }, ErrorKind::kAxis,
                     "axis 1 is out of range for rank 1"}};
  return tests;
}
#endif
