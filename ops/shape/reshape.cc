#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <optional>

#include "wengert/ops/kernels/strided.h"

namespace wengert {
namespace ops {
namespace {

struct ReshapeAttributes {
  Shape shape;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("shape", self.shape);
  }
};

/// Strides of `to` over the memory of (`from`, `strides`), when it can be a view.
std::optional<Strides> view_strides(const Shape& from, const Strides& strides, const Shape& to) {
  if (element_count(from) == 0) return dense_strides(to);
  Strides result;
  result.resize(to.size());
  int f = from.size() - 1, t = to.size() - 1;
  while (t >= 0) {
    if (to[t] == 1) {
      result[t--] = 0;
      continue;
    }
    while (f >= 0 && from[f] == 1) --f;
    // Groups of dimensions of equal product: `from`'s must lie evenly in memory.
    std::int64_t source = from[f], target = to[t], step = strides[f];
    result[t] = step;
    while (source != target) {
      if (target < source) {
        step = result[t] * to[t];
        result[--t] = step;
        target *= to[t];
      } else {
        int next = f - 1;
        while (from[next] == 1) --next;
        if (strides[next] != strides[f] * from[f]) return std::nullopt;
        f = next;
        source *= from[f];
      }
    }
    --f;
    --t;
  }
  return result;
}

/// `asked` with its −1 worked out for `count` elements; nothing where that makes no sense.
std::optional<Shape> work_out(const Shape& asked, std::int64_t count) {
  int open = -1;
  std::int64_t known = 1;
  for (int d = 0; d < asked.size(); ++d) {
    if (asked[d] == -1 && open < 0) {
      open = d;
    } else if (asked[d] < 0 || __builtin_mul_overflow(known, asked[d], &known)) {
      return std::nullopt;
    }
  }
  Shape shape = asked;
  if (open >= 0) {
    if (known == 0 || count % known != 0) return std::nullopt;
    shape[open] = count / known;
  } else if (known != count) {
    return std::nullopt;
  }
  return shape;
}

/// Says what is wrong with sizes that work_out did not take.
[[noreturn]] void fail_sizes(const InferContext& call, std::int64_t count) {
  const Shape& asked = call.attributes<ReshapeAttributes>().shape;
  Shape sizes = asked;  // with 1 in place of the −1
  int open = 0;
  bool zero = false;
  for (std::int64_t* size = sizes.data(); size != sizes.data() + sizes.size(); ++size) {
    if (*size == -1 && open++ == 0) *size = 1;
    if (*size < 0) {
      call.fail(ErrorKind::kShape, "negative size in " + asked.str(),
                "one size may be −1, to be worked out");
    }
    zero |= *size == 0;
  }
  element_count(sizes);  // fails on an overflow
  if (open > 0 && zero && count == 0) {
    call.fail(ErrorKind::kShape, "beside a 0 any size would do for the −1 in " + asked.str(),
              "name all sizes");
  }
  const std::string named = std::to_string(element_count(sizes));
  call.fail(
      ErrorKind::kShape,
      call.describe(0) + " of " + std::to_string(count) + " elements cannot become " + asked.str(),
      open > 0
          ? "what the sizes beside the −1 make, " + named + ", must divide " + std::to_string(count)
          : "these sizes make " + named + "; one may be −1, to be worked out");
}

void infer_reshape(InferContext& call) {
  const std::int64_t count = element_count(call.shape(0));
  const auto shape = work_out(call.attributes<ReshapeAttributes>().shape, count);
  if (!shape) fail_sizes(call, count);
  const auto strides = view_strides(call.shape(0), call.strides(0), *shape);
  if (!strides) {
    return call.want_dense(0);
  }
  call.output_view(0, *shape, *strides);
}

void reshape_vjp(VjpContext& c) { c.set(0, reshape(c.cotangent(), c.shape(0))); }

}  // namespace

constinit const OpDef reshape_op = {
    .name = "reshape",
    .doc = {.summary = "The same elements, in row-major order, under other sizes.",
            .formula = "y[j] = x[i] where i and j have the same row-major position",
            .arguments =
                "x: any dtype; shape: sizes of the same product, one may be −1. A view; a "
                "strided x that cannot be viewed so is copied by a visible contiguous node",
            .gradient = "the cotangent under x's shape",
            .source = "elementary"},
    .differentiable = 1,
    .linear = {1},
    .infer = infer_reshape,
    .vjp = reshape_vjp,
    .attributes = &attribute_type<ReshapeAttributes>,
};

}  // namespace ops

Var reshape(const Var& x, const Shape& shape, std::source_location where) {
  return apply(ops::reshape_op, {&x}, ops::ReshapeAttributes{shape}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/shape/shape_tests.h"

WENGERT_OP_TESTS(reshape) {
  OpTests tests = moving_tests();
  const auto add = [&](const Shape& shape, const Shape& asked, const Shape& result) {
    add_sample(
        tests, to_string(shape) + " as " + to_string(asked), {spread(shape, -1, 1)},
        [=](std::span<const Var> x) { return reshape(x[0], asked); },
        [=](std::span<const Tensor> x) { return x[0].contiguous().reshaped(result); });
  };
  add({2, 6}, {3, 4}, {3, 4});
  add({2, 6}, {4, -1}, {4, 3});
  add({1}, {}, {});
  add({}, {1, 1}, {1, 1});
  add({0, 3}, {3, -1}, {3, 0});
  add({2, 3, 4}, {6, 1, 4}, {6, 1, 4});
  add({24001, 3}, {3, -1}, {3, 24001});
  tests.rejected = {
      {"count",
       [] {
         return reshape(zeros32({2, 3}), {4});
       },
       ErrorKind::kShape, "f32[2,3] of 6 elements cannot become [4]"},
      {"beside a zero",
       [] {
         return reshape(zeros32({0, 5}), {0, -1});
       },
       ErrorKind::kShape, "beside a 0 any size would do for the −1 in [0,-1]"},
      {"overflow beside a zero",
       [] {
         return reshape(zeros32({0}), {0, std::int64_t{1} << 32, std::int64_t{1} << 32});
       },
       ErrorKind::kShape, "the product of [0,4294967296,4294967296] overflows 64 bits"},
      {"not a multiple",
       [] {
         return reshape(zeros32({2, 3}), {4, -1});
       },
       ErrorKind::kShape, "f32[2,3] of 6 elements cannot become [4,-1]"},
      {"two open",
       [] {
         return reshape(zeros32({2, 3}), {-1, -1});
       },
       ErrorKind::kShape, "negative size in [-1,-1]"},
      {"negative",
       [] {
         return reshape(zeros32({2, 3}), {-2, -3});
       },
       ErrorKind::kShape, "negative size in [-2,-3]"}};
  return tests;
}
#endif
