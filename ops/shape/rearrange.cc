#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <cstring>
#include <vector>

#include "wengert/ops/reduction/axes.h"

// Ops whose result takes each element from an index that is worked out axis by axis.
namespace wengert {
namespace ops {
namespace {

struct PadAttributes {
  Dims before, after;
  std::int64_t mode;
  double value;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("before", self.before);
    v("after", self.after);
    v("mode", self.mode);
    v("value", self.value);
  }
};

struct AxisAmount {
  std::int64_t amount, axis;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("amount", self.amount);
    v("axis", self.axis);
  }
};

struct DimsAttributes {
  Dims values;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("values", self.values);
  }
};

/// For each axis of the result, the index in the source that each position takes; −1: none.
using IndexTables = std::vector<std::vector<std::int64_t>>;

/// Calls move(position in the result, position in the source or −1), row-major.
template <class Move>
void for_each_source(const TensorView& result, std::span<const std::int64_t> source_sizes,
                     const IndexTables& tables, Move&& move) {
  const std::int64_t count = result.count();
  const Strides steps = dense_strides(source_sizes);
  Dims index;
  index.resize(result.rank);
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t from = 0;
    for (int d = 0; d < result.rank; ++d) {
      const std::int64_t at =
          tables[static_cast<std::size_t>(d)][static_cast<std::size_t>(index[d])];
      if (at < 0) {
        from = -1;
        break;
      }
      from += at * steps[d];
    }
    move(i, from);
    for (int d = result.rank - 1; d >= 0; --d) {
      if (++index[d] < result.sizes[d]) break;
      index[d] = 0;
    }
  }
}

void copy_by_tables(EvalContext& call, const IndexTables& tables, double otherwise) {
  const DenseInput x(call.input(0));
  const TensorView out = call.output();
  dispatch(out.dtype, [&]<class T>(T) {
    const T* from = x.view().as<T>();
    T* to = out.as<T>();
    for_each_source(out, x.view().shape(), tables, [&](std::int64_t i, std::int64_t at) {
      to[i] = at < 0 ? static_cast<T>(otherwise) : from[at];
    });
  });
}

/// The source index of padded position i; −1 where the value goes.
std::int64_t unpadded(std::int64_t i, std::int64_t before, std::int64_t size, PadMode mode) {
  const std::int64_t at = i - before;
  if (at >= 0 && at < size) return at;
  if (mode == PadMode::kConstant) return -1;
  if (mode == PadMode::kEdge) return at < 0 ? 0 : size - 1;
  return at < 0 ? -at : 2 * (size - 1) - at;
}

IndexTables pad_tables(std::span<const std::int64_t> source, const PadAttributes& attributes) {
  IndexTables tables;
  for (std::size_t d = 0; d < source.size(); ++d) {
    const int at = static_cast<int>(d);
    std::vector<std::int64_t> table;
    const std::int64_t total = attributes.before[at] + source[d] + attributes.after[at];
    for (std::int64_t i = 0; i < total; ++i) {
      table.push_back(
          unpadded(i, attributes.before[at], source[d], static_cast<PadMode>(attributes.mode)));
    }
    tables.push_back(std::move(table));
  }
  return tables;
}

/// Checks padding of `shape` and gives the padded shape.
Shape padded_shape(const OpCall& call, const Shape& shape, const PadAttributes& attributes) {
  if (attributes.before.size() != shape.size() || attributes.after.size() != shape.size()) {
    call.fail(ErrorKind::kShape,
              std::to_string(attributes.before.size()) + " and " +
                  std::to_string(attributes.after.size()) + " amounts for " +
                  std::to_string(shape.size()) + " axes",
              "give one before and one after each axis");
  }
  Shape padded = shape;
  const auto mode = static_cast<PadMode>(attributes.mode);
  for (int d = 0; d < shape.size(); ++d) {
    const std::int64_t before = attributes.before[d], after = attributes.after[d];
    if (before < 0 || after < 0) {
      call.fail(ErrorKind::kValue, "negative padding on axis " + std::to_string(d),
                "slice takes elements away");
    }
    if ((mode == PadMode::kReflect && (before >= shape[d] || after >= shape[d]) &&
         before + after > 0) ||
        (mode == PadMode::kEdge && shape[d] == 0 && before + after > 0)) {
      call.fail(ErrorKind::kValue, "axis " + std::to_string(d) + " of size " +
                                       std::to_string(shape[d]) + " is too short for this padding");
    }
    if (__builtin_add_overflow(padded[d], before, &padded[d]) ||
        __builtin_add_overflow(padded[d], after, &padded[d])) {
      call.fail(ErrorKind::kShape, "the padded size of axis " + std::to_string(d) + " overflows");
    }
  }
  return padded;
}

void infer_pad(InferContext& call) {
  call.output(call.dtype(0), padded_shape(call, call.shape(0), call.attributes<PadAttributes>()));
}

void evaluate_pad(EvalContext& call) {
  const auto& attributes = call.attributes<PadAttributes>();
  copy_by_tables(call, pad_tables(call.shape(0), attributes), attributes.value);
}

void pad_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<PadAttributes>();
  const auto mode = static_cast<PadMode>(attributes.mode);
  if (mode != PadMode::kConstant) {
    c.set(0, fold_padding(c.cotangent(), attributes.before, attributes.after, mode));
    return;
  }
  Dims stops = attributes.before;
  for (int d = 0; d < stops.size(); ++d) stops[d] += c.shape(0)[d];
  c.set(0, slice(c.cotangent(), attributes.before, stops));
}

void infer_fold(InferContext& call) {
  const auto& attributes = call.attributes<PadAttributes>();
  Shape shape = call.shape(0);
  for (int d = 0; d < shape.size() && d < attributes.before.size() && d < attributes.after.size();
       ++d) {
    shape[d] -= attributes.before[d] + attributes.after[d];
    if (shape[d] < 0) {
      call.fail(ErrorKind::kShape,
                call.describe(0) + " is smaller than its padding on axis " + std::to_string(d));
    }
  }
  call.require_floating(0);
  padded_shape(call, shape, attributes);
  call.output(call.dtype(0), shape);
}

void evaluate_fold(EvalContext& call) {
  const DenseInput x(call.input(0));
  const TensorView out = call.output();
  const IndexTables tables = pad_tables(out.shape(), call.attributes<PadAttributes>());
  dispatch_floating(out.dtype, [&]<class T>(T) {
    T* to = out.as<T>();
    const std::int64_t count = out.count();
    for (std::int64_t i = 0; i < count; ++i) to[i] = T(0);
    for_each_source(x.view(), out.shape(), tables, [&](std::int64_t i, std::int64_t at) {
      if (at >= 0) to[at] += x.view().as<T>()[i];
    });
  });
}

void fold_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<PadAttributes>();
  c.set(0, pad(c.cotangent(), attributes.before, attributes.after,
               static_cast<PadMode>(attributes.mode)));
}

void infer_flip(InferContext& call) {
  const Axes& axes = call.attributes<DimsAttributes>().values;
  bool reversed[kMaxRank];
  mark_axes(call, axes, reversed);
  Strides strides = call.strides(0);
  std::int64_t offset = 0;
  for (int d = 0; d < strides.size(); ++d) {
    if (!reversed[d]) continue;
    if (element_count(call.shape(0)) > 0) offset += (call.size(0, d) - 1) * strides[d];
    strides[d] = -strides[d];
  }
  call.output_view(0, call.shape(0), strides, offset);
}

void flip_vjp(VjpContext& c) {
  c.set(0, flip(c.cotangent(), c.attributes<DimsAttributes>().values));
}

void infer_roll(InferContext& call) {
  call.resolve_axis(call.attributes<AxisAmount>().axis, call.rank(0));
  call.output(call.dtype(0), call.shape(0));
}

/// Tables that leave every axis as it is, for `result` sizes.
IndexTables identity_tables(std::span<const std::int64_t> sizes) {
  IndexTables tables;
  for (std::int64_t size : sizes) {
    std::vector<std::int64_t> table;
    for (std::int64_t i = 0; i < size; ++i) table.push_back(i);
    tables.push_back(std::move(table));
  }
  return tables;
}

void evaluate_roll(EvalContext& call) {
  const auto& attributes = call.attributes<AxisAmount>();
  const int axis = call.resolve_axis(attributes.axis, call.rank(0));
  const std::int64_t size = call.size(0, axis);
  IndexTables tables = identity_tables(call.output().shape());
  for (std::int64_t i = 0; i < size; ++i) {
    const std::int64_t from = (i - attributes.amount % size + size) % size;
    tables[static_cast<std::size_t>(axis)][static_cast<std::size_t>(i)] = from;
  }
  copy_by_tables(call, tables, 0);
}

void roll_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<AxisAmount>();
  const std::int64_t size = c.shape(0)[static_cast<int>(
      attributes.axis < 0 ? attributes.axis + c.shape(0).size() : attributes.axis)];
  const std::int64_t back = size == 0 ? 0 : size - attributes.amount % size;
  c.set(0, roll(c.cotangent(), back, static_cast<int>(attributes.axis)));
}

void scale_size(const OpCall& call, Shape& shape, int axis, std::int64_t factor) {
  if (factor < 0) {
    call.fail(ErrorKind::kValue,
              std::to_string(factor) + " repeats on axis " + std::to_string(axis),
              "repeats are 0 or more");
  }
  if (__builtin_mul_overflow(shape[axis], factor, &shape[axis])) {
    call.fail(ErrorKind::kShape,
              "the repeated size of axis " + std::to_string(axis) + " overflows");
  }
}

void infer_tile(InferContext& call) {
  const Dims& repeats = call.attributes<DimsAttributes>().values;
  if (repeats.size() != call.rank(0)) {
    call.fail(ErrorKind::kShape,
              std::to_string(repeats.size()) + " repeats for " + call.describe(0),
              "give one for each axis");
  }
  Shape shape = call.shape(0);
  for (int d = 0; d < shape.size(); ++d) scale_size(call, shape, d, repeats[d]);
  call.output(call.dtype(0), shape);
}

void evaluate_tile(EvalContext& call) {
  IndexTables tables = identity_tables(call.output().shape());
  for (int d = 0; d < call.rank(0); ++d) {
    for (std::int64_t& at : tables[static_cast<std::size_t>(d)]) at %= call.size(0, d);
  }
  copy_by_tables(call, tables, 0);
}

/// g summed over the copies of one axis: [left, copies, size, right] or [left, size, copies,
/// right].
Var sum_copies(const Var& g, int axis, std::int64_t size, std::int64_t copies, bool interleaved) {
  const Shape shape = g.shape();
  std::int64_t left = 1, right = 1;
  for (int d = 0; d < axis; ++d) left *= shape[d];
  for (int d = axis + 1; d < shape.size(); ++d) right *= shape[d];
  Shape result = shape;
  result[axis] = size;
  const Shape apart =
      interleaved ? Shape{left, size, copies, right} : Shape{left, copies, size, right};
  return reshape(sum(reshape(g, apart), {interleaved ? 2 : 1}), result);
}

void tile_vjp(VjpContext& c) {
  const Dims& repeats = c.attributes<DimsAttributes>().values;
  Var g = c.cotangent();
  for (int d = 0; d < repeats.size(); ++d) {
    if (repeats[d] != 1) g = sum_copies(g, d, c.shape(0)[d], repeats[d], false);
  }
  c.set(0, g);
}

void infer_repeat(InferContext& call) {
  const auto& attributes = call.attributes<AxisAmount>();
  const int axis = call.resolve_axis(attributes.axis, call.rank(0));
  Shape shape = call.shape(0);
  scale_size(call, shape, axis, attributes.amount);
  call.output(call.dtype(0), shape);
}

void evaluate_repeat(EvalContext& call) {
  const auto& attributes = call.attributes<AxisAmount>();
  const int axis = call.resolve_axis(attributes.axis, call.rank(0));
  IndexTables tables = identity_tables(call.output().shape());
  for (std::int64_t& at : tables[static_cast<std::size_t>(axis)]) at /= attributes.amount;
  copy_by_tables(call, tables, 0);
}

void repeat_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<AxisAmount>();
  const int rank = c.shape(0).size();
  const int axis = static_cast<int>(attributes.axis < 0 ? attributes.axis + rank : attributes.axis);
  c.set(0, sum_copies(c.cotangent(), axis, c.shape(0)[axis], attributes.amount, true));
}

}  // namespace

constinit const OpDef pad_op = {
    .name = "pad",
    .doc = {.summary = "Adds elements before and after each axis.",
            .formula = "y[i + before] = x[i]; beyond the ends: a value (constant), the nearest "
                       "element (edge), or the mirror image without the end itself (reflect)",
            .arguments = "x: any dtype; before, after: one amount ≥ 0 an axis, for reflect below "
                         "its size; mode; value: of the constant mode",
            .gradient = "the cotangent's inner part; in edge and reflect the padding's cotangents "
                        "are added where their elements came from",
            .source = "elementary"},
    .differentiable = 1,
    .infer = infer_pad,
    .evaluate = evaluate_pad,
    .vjp = pad_vjp,
    .attributes = &attribute_type<PadAttributes>,
};

constinit const OpDef fold_padding_op = {
    .name = "fold_padding",
    .doc = {.summary = "Adds padded elements onto the elements that they were copies of.",
            .formula = "y[j] = Σ x[i] over the padded positions i that show j",
            .arguments = "x: float32 or float64; before, after, mode: as in pad",
            .gradient = "pad of the cotangent",
            .source = "the engine's own; derivative of pad"},
    .differentiable = 1,
    .infer = infer_fold,
    .evaluate = evaluate_fold,
    .vjp = fold_vjp,
    .attributes = &attribute_type<PadAttributes>,
};

constinit const OpDef flip_op = {
    .name = "flip",
    .doc = {.summary = "Reverses the order along axes.",
            .formula = "y[…, i, …] = x[…, size − 1 − i, …]",
            .arguments = "x: any dtype; axes: negative from the back, all when empty. A view",
            .gradient = "the cotangent reversed along the same axes",
            .source = "elementary"},
    .differentiable = 1,
    .infer = infer_flip,
    .vjp = flip_vjp,
    .attributes = &attribute_type<DimsAttributes>,
};

constinit const OpDef roll_op = {
    .name = "roll",
    .doc = {.summary = "Shifts along an axis; what leaves at one end enters at the other.",
            .formula = "y[…, (i + shift) mod size, …] = x[…, i, …]",
            .arguments = "x: any dtype; shift: may be negative; axis: negative from the back",
            .gradient = "the cotangent shifted back",
            .source = "elementary"},
    .differentiable = 1,
    .infer = infer_roll,
    .evaluate = evaluate_roll,
    .vjp = roll_vjp,
    .attributes = &attribute_type<AxisAmount>,
};

constinit const OpDef tile_op = {
    .name = "tile",
    .doc = {.summary = "Repeats a tensor as a whole along each axis.",
            .formula = "y[i…] = x[i mod size …]",
            .arguments = "x: any dtype; repeats: one number ≥ 0 an axis",
            .gradient = "the cotangent summed over the copies",
            .source = "elementary"},
    .differentiable = 1,
    .infer = infer_tile,
    .evaluate = evaluate_tile,
    .vjp = tile_vjp,
    .attributes = &attribute_type<DimsAttributes>,
};

constinit const OpDef repeat_interleave_op = {
    .name = "repeat_interleave",
    .doc = {.summary = "Repeats each element along an axis.",
            .formula = "y[…, i, …] = x[…, ⌊i/repeats⌋, …]",
            .arguments = "x: any dtype; repeats ≥ 0; axis: negative from the back",
            .gradient = "the cotangent summed over the copies of each element",
            .source = "elementary"},
    .differentiable = 1,
    .infer = infer_repeat,
    .evaluate = evaluate_repeat,
    .vjp = repeat_vjp,
    .attributes = &attribute_type<AxisAmount>,
};

}  // namespace ops

Var pad(const Var& x, const Dims& before, const Dims& after, PadMode mode, double value,
        std::source_location where) {
  return apply(ops::pad_op, {&x},
               ops::PadAttributes{before, after, static_cast<std::int64_t>(mode), value}, where);
}

Var fold_padding(const Var& x, const Dims& before, const Dims& after, PadMode mode,
                 std::source_location where) {
  return apply(ops::fold_padding_op, {&x},
               ops::PadAttributes{before, after, static_cast<std::int64_t>(mode), 0}, where);
}

Var flip(const Var& x, const Axes& axes, std::source_location where) {
  return apply(ops::flip_op, {&x}, ops::DimsAttributes{axes}, where);
}

Var roll(const Var& x, std::int64_t shift, int axis, std::source_location where) {
  return apply(ops::roll_op, {&x}, ops::AxisAmount{shift, axis}, where);
}

Var tile(const Var& x, const Dims& repeats, std::source_location where) {
  return apply(ops::tile_op, {&x}, ops::DimsAttributes{repeats}, where);
}

Var repeat_interleave(const Var& x, std::int64_t repeats, int axis, std::source_location where) {
  return apply(ops::repeat_interleave_op, {&x}, ops::AxisAmount{repeats, axis}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/shape/shape_tests.h"

namespace {
using namespace wengert;
using testing::by_index;
using testing::element;

/// Index of padded position i by walking back into the tensor; −1 outside.
std::int64_t walk_back(std::int64_t i, std::int64_t size, PadMode mode) {
  while (i < 0 || i >= size) {
    if (mode == PadMode::kConstant) return -1;
    if (mode == PadMode::kEdge) {
      i += i < 0 ? 1 : -1;
    } else {
      i = i < 0 ? -i : 2 * size - 2 - i;
    }
  }
  return i;
}
}  // namespace

WENGERT_OP_TESTS(pad) {
  OpTests tests = moving_tests();
  for (const PadMode mode : {PadMode::kConstant, PadMode::kEdge, PadMode::kReflect}) {
    add_sample(
        tests, "mode " + std::to_string(static_cast<int>(mode)), {spread({3, 4}, -1, 1)},
        [=](std::span<const Var> x) {
          return pad(x[0], {1, 2}, {2, 0}, mode, 0.5);
        },
        [=](std::span<const Tensor> x) {
          return by_index({6, 6}, [&](const Dims& i) {
            const std::int64_t r = walk_back(i[0] - 1, 3, mode), k = walk_back(i[1] - 2, 4, mode);
            return r < 0 || k < 0 ? 0.5 : element(x[0], {r, k});
          });
        });
  }
  add_sample(
      tests, "of nothing", {spread({0}, -1, 1)},
      [](std::span<const Var> x) { return pad(x[0], {1}, {1}); },
      [](std::span<const Tensor>) { return Tensor::zeros(DType::kFloat64, {2}); });
  tests.rejected = {{"amounts",
                     [] {
                       pad(zeros32({3, 4}), {1}, {1});
                     },
                     ErrorKind::kShape, "1 and 1 amounts for 2 axes"},
                    {"negative", [] { pad(zeros32({3}), {-1}, {1}); }, ErrorKind::kValue,
                     "negative padding on axis 0"},
                    {"reflect", [] { pad(zeros32({3}), {3}, {0}, PadMode::kReflect); },
                     ErrorKind::kValue, "axis 0 of size 3 is too short for this padding"}};
  return tests;
}

WENGERT_OP_TESTS(fold_padding) {
  OpTests tests = moving_tests();
  for (const PadMode mode : {PadMode::kEdge, PadMode::kReflect}) {
    add_sample(
        tests, "mode " + std::to_string(static_cast<int>(mode)), {spread({6}, -1, 1)},
        [=](std::span<const Var> x) { return fold_padding(x[0], {2}, {1}, mode); },
        [=](std::span<const Tensor> x) {
          return by_index({3}, [&](const Dims& j) {
            double total = 0;
            for (std::int64_t i = 0; i < 6; ++i) {
              if (walk_back(i - 2, 3, mode) == j[0]) total += x[0].at(i);
            }
            return total;
          });
        });
  }
  tests.rejected = {
      {"too small", [] { fold_padding(zeros32({2}), {2}, {1}, PadMode::kEdge); }, ErrorKind::kShape,
       "f32[2] is smaller than its padding on axis 0"},
      {"dtype", [] { fold_padding(Tensor::zeros(DType::kInt32, {5}), {1}, {1}, PadMode::kEdge); },
       ErrorKind::kDType, "needs float32 or float64, got i32[5]"},
      {"amounts",
       [] {
         fold_padding(zeros32({2, 4}), {1}, {1}, PadMode::kEdge);
       },
       ErrorKind::kShape, "1 and 1 amounts for 2 axes"}};
  return tests;
}

WENGERT_OP_TESTS(flip) {
  OpTests tests = moving_tests();
  add_sample(
      tests, "columns", {spread({2, 3}, -1, 1)},
      [](std::span<const Var> x) { return flip(x[0], {-1}); },
      [](std::span<const Tensor> x) {
        return by_index({2, 3}, [&](const Dims& i) { return element(x[0], {i[0], 2 - i[1]}); });
      });
  add_sample(
      tests, "all", {spread({2, 3}, -1, 1)}, [](std::span<const Var> x) { return flip(x[0]); },
      [](std::span<const Tensor> x) {
        return by_index({2, 3}, [&](const Dims& i) { return element(x[0], {1 - i[0], 2 - i[1]}); });
      });
  add_sample(
      tests, "nothing", {spread({0, 3}, -1, 1)}, [](std::span<const Var> x) { return flip(x[0]); },
      [](std::span<const Tensor> x) { return x[0]; });
  tests.rejected = {{"axis",
                     [] {
                       flip(zeros32({2, 3}), {2});
                     },
                     ErrorKind::kAxis, "axis 2 is out of range for rank 2"},
                    {"negative",
                     [] {
                       flip(zeros32({2, 3}), {-3});
                     },
                     ErrorKind::kAxis, "axis -3 is out of range for rank 2"},
                    {"twice",
                     [] {
                       flip(zeros32({2, 3}), {0, 0});
                     },
                     ErrorKind::kAxis, "axis 0 is named twice in [0,0]"}};
  return tests;
}

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
  add_sample(
      tests, "nothing", {spread({0}, -1, 1)}, [](std::span<const Var> x) { return roll(x[0], 1); },
      [](std::span<const Tensor> x) { return x[0]; });
  tests.rejected = {{"axis",
                     [] {
                       roll(zeros32({2, 3}), 1, 2);
                     },
                     ErrorKind::kAxis, "axis 2 is out of range for rank 2"},
                    {"negative",
                     [] {
                       roll(zeros32({2, 3}), 1, -3);
                     },
                     ErrorKind::kAxis, "axis -3 is out of range for rank 2"},
                    {"scalar", [] { roll(zeros32({}), 1); }, ErrorKind::kAxis,
                     "axis 0 is out of range for rank 0"}};
  return tests;
}

WENGERT_OP_TESTS(tile) {
  OpTests tests = moving_tests();
  for (const Dims& repeats : {Dims{2, 3}, Dims{1, 1}, Dims{0, 2}}) {
    add_sample(
        tests, repeats.str(), {spread({2, 3}, -1, 1)},
        [=](std::span<const Var> x) { return tile(x[0], repeats); },
        [=](std::span<const Tensor> x) {
          return by_index({2 * repeats[0], 3 * repeats[1]}, [&](const Dims& i) {
            return element(x[0], {i[0] % 2, i[1] % 3});
          });
        });
  }
  tests.rejected = {
      {"count",
       [] {
         tile(zeros32({2, 3}), {2});
       },
       ErrorKind::kShape, "1 repeats for f32[2,3]"},
      {"negative", [] { tile(zeros32({2}), {-1}); }, ErrorKind::kValue, "-1 repeats on axis 0"},
      {"overflow", [] { tile(zeros32({4}), {std::int64_t{1} << 62}); }, ErrorKind::kShape,
       "the repeated size of axis 0 overflows"}};
  return tests;
}

WENGERT_OP_TESTS(repeat_interleave) {
  OpTests tests = moving_tests();
  for (const int axis : {0, -1}) {
    add_sample(
        tests, "axis " + std::to_string(axis), {spread({2, 3}, -1, 1)},
        [=](std::span<const Var> x) { return repeat_interleave(x[0], 3, axis); },
        [=](std::span<const Tensor> x) {
          return axis == 0 ? by_index({6, 3},
                                      [&](const Dims& i) {
                                        return element(x[0], {i[0] / 3, i[1]});
                                      })
                           : by_index({2, 9}, [&](const Dims& i) {
                               return element(x[0], {i[0], i[1] / 3});
                             });
        });
  }
  tests.rejected = {{"axis", [] { repeat_interleave(zeros32({2}), 2, 1); }, ErrorKind::kAxis,
                     "axis 1 is out of range for rank 1"},
                    {"negative", [] { repeat_interleave(zeros32({2}), -1); }, ErrorKind::kValue,
                     "-1 repeats on axis 0"},
                    {"scalar", [] { repeat_interleave(zeros32({}), 2); }, ErrorKind::kAxis,
                     "axis 0 is out of range for rank 0"}};
  return tests;
}
#endif
