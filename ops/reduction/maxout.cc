#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/composite.h"

namespace wengert {
namespace ops {
namespace {

struct MaxoutAttributes {
  std::int64_t pieces, axis = -1;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("pieces", self.pieces);
    v("axis", self.axis);
  }
};

Var expand_maxout(const ExpandContext& call) {
  const auto& a = call.attributes<MaxoutAttributes>();
  Shape shape = call.shape(0);
  const int axis = call.resolve_axis(a.axis, shape.size());
  if (a.pieces < 1 || shape[axis] % a.pieces != 0) {
    call.fail(ErrorKind::kShape,
              std::to_string(a.pieces) + " pieces do not divide axis " + std::to_string(axis) +
                  " of " + call.describe(0),
              "each result is the largest of that many neighbours along the axis");
  }
  shape[axis] /= a.pieces;
  shape.insert(axis + 1, a.pieces);
  return max(reshape(call.operand(0), shape, call.where()), {axis + 1}, false, call.where());
}

}  // namespace

constinit const OpDef maxout_op = composite(
    "maxout", 1, 1, 1, expand_maxout, &attribute_type<MaxoutAttributes>, nullptr,
    {.summary = "Largest of each group of neighbours along an axis.",
     .formula = "y[…, j, …] = max over i < pieces of x[…, j·pieces + i, …]; of x = W·h + b it is "
                "maxᵢ(wᵢ·h + bᵢ)",
     .arguments = "x: floating or integer, rank < 8; pieces: divides the axis, which shrinks by "
                  "it; axis: negative from the back; NaN wins. Recorded as reshape and max",
     .gradient = "the cotangent goes to the largest of the group, shared evenly by those that tie "
                 "as in max; NaN where x is",
     .source = "I. Goodfellow et al., Maxout networks, ICML 2013"});

}  // namespace ops

Var maxout(const Var& x, std::int64_t pieces, int axis, std::source_location where) {
  return apply(ops::maxout_op, {&x}, ops::MaxoutAttributes{pieces, axis}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/reduction/reduction_tests.h"
#include "wengert/ops/shape/shape_tests.h"

namespace {

using namespace wengert;
using namespace wengert::testing;

Sample maxout_sample(const Shape& shape, std::int64_t pieces, int axis,
                     DType dtype = DType::kFloat64) {
  Sample sample;
  sample.name = std::to_string(pieces) + " pieces along axis " + std::to_string(axis) + " of " +
                to_string(dtype, shape);
  sample.inputs = {spread(shape, -3, 2).to(dtype)};
  sample.smooth = is_floating(dtype);
  sample.step = 2e-6;  // below the gaps between neighbours
  sample.call = [=](std::span<const Var> x) {
    return std::vector<Var>{maxout(x[0], pieces, axis)};
  };
  sample.reference = [=](std::span<const Tensor> x) {
    const int at = axis < 0 ? axis + shape.size() : axis;
    Shape smaller = shape;
    smaller[at] /= pieces;
    const auto largest = [&](const Dims& i) {
      Dims from = i;
      from[at] = i[at] * pieces;
      double most = element(x[0], from);
      for (std::int64_t k = 1; k < pieces; ++k) {
        ++from[at];
        most = std::fmax(most, element(x[0], from));
      }
      return most;
    };
    return std::vector<Tensor>{by_index(smaller, largest, dtype)};
  };
  return sample;
}

}  // namespace

WENGERT_OP_TESTS(maxout) {
  OpTests tests;
  tests.samples = {maxout_sample({6}, 3, 0),           maxout_sample({4, 6}, 2, -1),
                   maxout_sample({6, 5}, 3, 0),        maxout_sample({2, 4, 5}, 2, 1),
                   maxout_sample({3, 5}, 1, -1),       maxout_sample({3, 5}, 5, -1),
                   maxout_sample({0, 4}, 2, -1),       maxout_sample({2, 0}, 2, -1),
                   maxout_sample({50, 2904}, 3, -1),   maxout_sample({2100, 131}, 4, 0),
                   maxout_sample({3, 24001, 2}, 2, 2), maxout_sample({3, 6}, 2, -1, DType::kInt32)};
  const auto pairs = [](const Var& x) { return maxout(x, 2); };
  tests.samples.push_back(
      gradient_sample("ties share", Tensor::from({4., 4., 1., 2.}, {4}), pairs, {.5, .5, 0, 1}));
  tests.samples.push_back(
      gradient_sample("NaN wins", Tensor::from({1., kNan, 1., 2.}, {4}), pairs, {0, kNan, 0, 1}));
  const auto bad = [](const Shape& shape, std::int64_t pieces, int axis) {
    return [=] { (void)maxout(Tensor::zeros(shape, DType::kFloat32), pieces, axis); };
  };
  tests.rejected = {
      {"no divisor", bad({2, 5}, 2, -1), ErrorKind::kShape,
       "2 pieces do not divide axis 1 of f32[2,5]"},
      {"no pieces", bad({2, 5}, 0, 0), ErrorKind::kShape,
       "0 pieces do not divide axis 0 of f32[2,5]"},
      {"negative pieces", bad({2, 5}, INT64_MIN, 0), ErrorKind::kShape,
       "-9223372036854775808 pieces do not divide axis 0 of f32[2,5]"},
      {"empty Var", [] { (void)maxout(Var(), 2); }, ErrorKind::kGraph, "input 0 is an empty Var"}};
  tests.ulps32 = tests.ulps64 = 0;
  tests.order = 2;
  return tests;
}
#endif
