#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <algorithm>

#include "wengert/ops/creation/checks.h"
#include "wengert/ops/dense_input.h"
#include "wengert/ops/shape/axis_tables.h"

namespace wengert {
namespace ops {
namespace {

struct PadAttributes {
  Dims before, after;
  PadMode mode;
  ExactNumber value;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("before", self.before);
    v("after", self.after);
    v("mode", self.mode);
    v("value", self.value);
  }
};

/// The source index of padded position i; −1 where the value goes.
std::int64_t unpadded(std::int64_t i, std::int64_t before, std::int64_t size, PadMode mode) {
  const std::int64_t at = i - before;
  if (at >= 0 && at < size) return at;
  if (mode == PadMode::kConstant) return -1;
  if (mode == PadMode::kEdge) return at < 0 ? 0 : size - 1;
  return at < 0 ? -at : 2 * (size - 1) - at;
}

/// Tables over `source`, none where the padded tensor has no elements: an axis beside an empty one
/// may be of any size.
AxisTables pad_tables(std::span<const std::int64_t> source, const PadAttributes& attributes,
                      std::int64_t padded_count) {
  AxisTables tables(source.size());
  for (std::size_t d = 0; d < source.size() && padded_count > 0; ++d) {
    const int at = static_cast<int>(d);
    const std::int64_t before = attributes.before[at], after = attributes.after[at];
    if (before == 0 && after == 0) continue;
    for (std::int64_t i = 0; i < before + source[d] + after; ++i) {
      tables[d].push_back(unpadded(i, before, source[d], attributes.mode));
    }
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
  if (attributes.mode > PadMode::kReflect) call.fail(ErrorKind::kValue, "unknown mode");
  Shape padded = shape;
  const auto mode = attributes.mode;
  for (int d = 0; d < shape.size(); ++d) {
    const std::int64_t before = attributes.before[d], after = attributes.after[d];
    if (before < 0 || after < 0) {
      call.fail(ErrorKind::kValue, "negative padding on axis " + std::to_string(d),
                "slice takes elements away");
    }
    const bool pads = before > 0 || after > 0;
    if ((mode == PadMode::kReflect && (before >= shape[d] || after >= shape[d]) && pads) ||
        (mode == PadMode::kEdge && shape[d] == 0 && pads)) {
      const std::int64_t most = std::max<std::int64_t>(shape[d] - 1, 0);
      call.fail(ErrorKind::kValue,
                "axis " + std::to_string(d) + " of size " + std::to_string(shape[d]) +
                    " is too short for " + std::string(name_of(mode)) + " padding by " +
                    std::to_string(before) + " and " + std::to_string(after),
                mode == PadMode::kReflect
                    ? "it has at most " + std::to_string(most) + " elements to reflect on each side"
                    : "it has no edge to repeat");
    }
    if (__builtin_add_overflow(padded[d], before, &padded[d]) ||
        __builtin_add_overflow(padded[d], after, &padded[d])) {
      call.fail(ErrorKind::kShape, "the padded size of axis " + std::to_string(d) + " overflows");
    }
  }
  return padded;
}

void infer_pad(InferContext& call) {
  const auto& attributes = call.attributes<PadAttributes>();
  const Shape padded = padded_shape(call, call.shape(0), attributes);
  if (attributes.mode == PadMode::kConstant) {
    require_held(call, call.dtype(0), "value", attributes.value);
  }
  output_of_sizes(call, call.dtype(0), padded);
}

void evaluate_pad(EvalContext& call) {
  const auto& attributes = call.attributes<PadAttributes>();
  copy_by_tables(call, pad_tables(call.shape(0), attributes, call.output().count()),
                 attributes.value);
}

void pad_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<PadAttributes>();
  const auto mode = attributes.mode;
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
  call.require_floating(0);
  Shape shape = call.shape(0);
  for (int d = 0; d < shape.size() && d < attributes.before.size() && d < attributes.after.size();
       ++d) {
    const std::int64_t before = attributes.before[d], after = attributes.after[d];
    if (before < 0 || after < 0 || before > shape[d] || after > shape[d] - before) {
      call.fail(ErrorKind::kShape, call.describe(0) + " holds no padding of " +
                                       std::to_string(before) + " and " + std::to_string(after) +
                                       " on axis " + std::to_string(d));
    }
    shape[d] -= before + after;
  }
  padded_shape(call, shape, attributes);
  call.output(call.dtype(0), shape);
}

constexpr double kFewCopies = 64;

/// At most so many padded positions show one element.
double most_copies(const OpCall& call) {
  const auto& attributes = call.attributes<PadAttributes>();
  double most = 1;
  for (int d = 0; d < attributes.before.size(); ++d) {
    const std::int64_t before = attributes.before[d], after = attributes.after[d];
    most *= attributes.mode == PadMode::kReflect ? 3.0 : 1.0 + static_cast<double>(before + after);
  }
  return most;
}

void evaluate_fold(EvalContext& call) {
  const DenseInput x(call.input(0));
  const TensorView out = call.output();
  const RunWalk walk(x.view().shape(), out.shape(),
                     pad_tables(out.shape(), call.attributes<PadAttributes>(), x.view().count()));
  const auto fold = [&]<class T, class Total>(const T* from, Total* to) {
    walk.for_each([&](const Run& run) {
      if (run.from < 0) return;
      for (std::int64_t i = 0; i < run.length; ++i) {
        to[run.from + i] += static_cast<Total>(from[run.to + i]);
      }
    });
  };
  dispatch_floating(out.dtype, [&]<class T>(T) {
    const std::int64_t count = out.count();
    T* to = out.as<T>();
    if (sizeof(T) == sizeof(double) || most_copies(call) <= kFewCopies) {
      std::fill_n(to, count, T(0));
      fold(x.view().as<T>(), to);
      return;
    }
    // Many float32 terms meet in the elements at the edge: they are summed in float64.
    std::vector<double> totals(static_cast<std::size_t>(count));
    fold(x.view().as<T>(), totals.data());
    for (std::int64_t i = 0; i < count; ++i) {
      to[i] = static_cast<T>(totals[static_cast<std::size_t>(i)]);
    }
  });
}

void fold_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<PadAttributes>();
  c.set(0, pad(c.cotangent(), attributes.before, attributes.after, attributes.mode));
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
            .arguments = "x: float32 or float64; before, after, mode: as in pad; many terms of "
                         "float32 are summed in float64",
            .gradient = "pad of the cotangent",
            .source = "the engine's own; derivative of pad"},
    .differentiable = 1,
    .linear = {1},
    .infer = infer_fold,
    .evaluate = evaluate_fold,
    .vjp = fold_vjp,
    .attributes = &attribute_type<PadAttributes>,
};

}  // namespace ops

Var pad(const Var& x, const Dims& before, const Dims& after, PadMode mode, ExactNumber value,
        std::source_location where) {
  return apply(ops::pad_op, {&x}, ops::PadAttributes{before, after, mode, value}, where);
}

Var fold_padding(const Var& x, const Dims& before, const Dims& after, PadMode mode,
                 std::source_location where) {
  return apply(ops::fold_padding_op, {&x}, ops::PadAttributes{before, after, mode, 0}, where);
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
  for (const PadMode mode : {PadMode::kConstant, PadMode::kEdge, PadMode::kReflect}) {
    for (const Shape& shape : {Shape{6001, 3}, Shape{3, 6001}}) {
      const Shape padded{shape[0] + 3, shape[1] + 2};
      add_sample(
          tests, to_string(shape) + " mode " + std::to_string(static_cast<int>(mode)),
          {spread(shape, -1, 1)},
          [=](std::span<const Var> x) {
            return pad(x[0], {1, 2}, {2, 0}, mode, 0.5);
          },
          [=](std::span<const Tensor> x) {
            return by_index(padded, [&](const Dims& i) {
              const std::int64_t r = walk_back(i[0] - 1, shape[0], mode);
              const std::int64_t k = walk_back(i[1] - 2, shape[1], mode);
              return r < 0 || k < 0 ? 0.5 : element(x[0], {r, k});
            });
          });
    }
  }
  add_sample(
      tests, "the last two axes of three", {spread({2, 3, 2}, -1, 1)},
      [](std::span<const Var> x) {
        return pad(x[0], {0, 1, 1}, {0, 0, 0}, PadMode::kConstant, 0.5);
      },
      [](std::span<const Tensor> x) {
        return by_index({2, 4, 3}, [&](const Dims& i) {
          return i[1] < 1 || i[2] < 1 ? 0.5 : element(x[0], {i[0], i[1] - 1, i[2] - 1});
        });
      });
  add_sample(
      tests, "of nothing", {spread({0}, -1, 1)},
      [](std::span<const Var> x) { return pad(x[0], {1}, {1}); },
      [](std::span<const Tensor>) { return Tensor::zeros({2}, DType::kFloat64); });
  add_sample(  // the tables of the long axis must not be built
      tests, "a long axis beside an empty one", {spread({1, 0}, -1, 1)},
      [](std::span<const Var> x) {
        return pad(x[0], {std::int64_t{1} << 50, 0}, {0, 0});
      },
      [](std::span<const Tensor>) {
        return Tensor::zeros({(std::int64_t{1} << 50) + 1, 0}, DType::kFloat64);
      });
  add_sample(
      tests, "a middle axis of three", {spread({2, 3, 2}, -1, 1)},
      [](std::span<const Var> x) {
        return pad(x[0], {0, 1, 0}, {0, 2, 0}, PadMode::kEdge);
      },
      [](std::span<const Tensor> x) {
        return by_index({2, 6, 2}, [&](const Dims& i) {
          return element(x[0], {i[0], walk_back(i[1] - 1, 3, PadMode::kEdge), i[2]});
        });
      });
  tests.rejected = {
      {"amounts",
       [] {
         return pad(zeros32({3, 4}), {1}, {1});
       },
       ErrorKind::kShape, "1 and 1 amounts for 2 axes"},
      {"negative", [] { return pad(zeros32({3}), {-1}, {1}); }, ErrorKind::kValue,
       "negative padding on axis 0"},
      {"reflect", [] { return pad(zeros32({3}), {3}, {0}, PadMode::kReflect); }, ErrorKind::kValue,
       "axis 0 of size 3 is too short for reflect padding by 3 and 0"},
      {"overflow",
       [] { return pad(zeros32({3}), {std::numeric_limits<std::int64_t>::max()}, {1}); },
       ErrorKind::kShape, "the padded size of axis 0 overflows"},
      {"value",
       [] { return pad(Tensor::zeros({3}, DType::kInt32), {1}, {1}, PadMode::kConstant, 1e30); },
       ErrorKind::kValue, "value 1e+30 is no int32"}};
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
    for (const std::int64_t columns : {1, 3}) {
      const std::int64_t kept = columns == 1 ? 9001 : 3001;
      add_sample(
          tests,
          "long, mode " + std::to_string(static_cast<int>(mode)) + " of " + std::to_string(columns),
          {spread({kept + 1003, columns}, -1, 1)},
          [=](std::span<const Var> x) {
            return fold_padding(x[0], {1001, 0}, {2, 0}, mode);
          },
          [=](std::span<const Tensor> x) {
            std::vector<double> total(static_cast<std::size_t>(kept * columns));
            for (std::int64_t i = 0; i < x[0].element_count(); ++i) {
              const std::int64_t to = walk_back(i / columns - 1001, kept, mode);
              total[static_cast<std::size_t>(to * columns + i % columns)] += x[0].at(i);
            }
            return Tensor::from(total, {kept, columns});
          });
      tests.samples.back().scale = 32;  // the root of the longest sum's length
    }
  }
  tests.rejected = {
      {"too small", [] { return fold_padding(zeros32({2}), {2}, {1}, PadMode::kEdge); },
       ErrorKind::kShape, "f32[2] holds no padding of 2 and 1 on axis 0"},
      {"dtype",
       [] { return fold_padding(Tensor::zeros({5}, DType::kInt32), {1}, {1}, PadMode::kEdge); },
       ErrorKind::kDType, "needs float32 or float64, got i32[5]"},
      {"overflow",
       [] {
         constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
         (void)fold_padding(zeros32({2}), {kMost}, {kMost}, PadMode::kEdge);
       },
       ErrorKind::kShape,
       "f32[2] holds no padding of 9223372036854775807 and 9223372036854775807 on axis 0"},
      {"amounts",
       [] {
         return fold_padding(zeros32({2, 4}), {1}, {1}, PadMode::kEdge);
       },
       ErrorKind::kShape, "1 and 1 amounts for 2 axes"}};
  return tests;
}
#endif
