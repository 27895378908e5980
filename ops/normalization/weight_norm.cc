#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/composite.h"
#include "wengert/ops/normalization/checks.h"
#include "wengert/ops/reduction/axes.h"

namespace wengert {
namespace ops {
namespace {

struct WeightNormAttributes {
  std::int64_t axis = -1;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("axis", self.axis);
  }
};

enum Operand : int { kDirection, kMagnitude };

Var expand_weight_norm(const ExpandContext& call) {
  call.require_floating(kDirection);
  const int rank = call.rank(kDirection);
  if (rank < 2) {
    call.fail(ErrorKind::kShape, "the direction is " + call.describe(kDirection),
              "weights have an axis of units and one of inputs at least");
  }
  const int axis = call.resolve_axis(call.attributes<WeightNormAttributes>().axis, rank);
  check_part(call, kMagnitude, "magnitude", {call.size(kDirection, axis)});
  const Var& direction = call.operand(kDirection);
  const Var length = norm(direction, axes_beside(rank, axis), true, 2, call.where());
  return direction * divide_or_zero(along_axis(call.operand(kMagnitude), rank, axis), length);
}

}  // namespace

constinit const OpDef weight_norm_op = composite(
    "weight_norm", 2, 2, 0b11, expand_weight_norm, &attribute_type<WeightNormAttributes>,
    &default_attributes_of<WeightNormAttributes>,
    {.summary = "Weights of each unit as a length and a direction.",
     .formula =
         "w = magnitude·v/‖v‖₂, the norm of each unit's v over every axis but `axis`; 0 where "
         "‖v‖ is 0",
     .arguments = "direction v: float32 or float64, rank ≥ 2, [inputs, units] for linear; "
                  "magnitude: [units], of v's dtype; axis: that of the units, negative from the "
                  "back. Recorded as norm, division and product",
     .gradient = "∂magnitude = Σ g·v/‖v‖, ∂v = magnitude/‖v‖·(g − v·Σ g·v/‖v‖²); 0 where ‖v‖ is 0",
     .source = "T. Salimans, D. Kingma, Weight normalization, NIPS 2016"});

}  // namespace ops

Var weight_norm(const Var& direction, const Var& magnitude, int axis, std::source_location where) {
  return apply(ops::weight_norm_op, {&direction, &magnitude}, ops::WeightNormAttributes{axis},
               where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/normalization/norm_tests.h"

namespace {

using namespace wengert;
using namespace wengert::testing;

Sample weight_sample(const Shape& shape, int axis) {
  const ChannelView view(shape, axis);
  Sample sample;
  sample.name = to_string(shape) + " axis " + std::to_string(axis);
  sample.inputs = {spread(shape, -2, 3, 3), spread({view.channels}, 0.5, 2, 5)};
  sample.call = [=](std::span<const Var> x) {
    return std::vector<Var>{weight_norm(x[0], x[1], axis)};
  };
  sample.reference = [=](std::span<const Tensor> x) {
    std::vector<double> w(static_cast<std::size_t>(x[0].element_count()));
    for (std::int64_t c = 0; c < view.channels; ++c) {
      long double squares = 0;
      for (std::int64_t i = 0; i < view.count(); ++i) {
        const long double v = x[0].at(view.position(c, i));
        squares += v * v;
      }
      for (std::int64_t i = 0; i < view.count(); ++i) {
        const std::int64_t at = view.position(c, i);
        w[static_cast<std::size_t>(at)] =
            static_cast<double>(x[0].at(at) * x[1].at(c) / std::sqrt(squares));
      }
    }
    return std::vector<Tensor>{Tensor::from(w, shape)};
  };
  sample.scale = 4;
  return sample;
}

}  // namespace

WENGERT_OP_TESTS(weight_norm) {
  OpTests tests;
  for (const int axis : {0, 1, 2, -1}) tests.samples.push_back(weight_sample({2, 3, 4}, axis));
  tests.samples.push_back(weight_sample({5, 3}, -1));
  tests.samples.push_back(weight_sample({0, 3}, 0));
  tests.samples.push_back(weight_sample(kLongRows, -1));
  tests.samples.push_back(weight_sample(kLongColumns, -1));
  tests.samples.push_back(fixed_sample(
      "no direction", {Tensor::zeros({2, 1}, DType::kFloat64), Tensor::from({3.}, {1})},
      [](std::span<const Var> x) { return std::vector<Var>{weight_norm(x[0], x[1])}; },
      {Tensor::from({0., 0.}, {2, 1})}));
  const auto bad = [](const Shape& direction, const Shape& magnitude, int axis,
                      DType dtype = DType::kFloat32) {
    return [=] {
      (void)weight_norm(Tensor::zeros(direction, dtype), Tensor::zeros(magnitude, dtype), axis);
    };
  };
  tests.rejected = {
      {"magnitude", bad({4, 3}, {4}, -1), ErrorKind::kShape,
       "the magnitude is f32[4] where x is f32[4,3]"},
      {"rank", bad({4}, {4}, 0), ErrorKind::kShape, "the direction is f32[4]"},
      {"axis", bad({4, 3}, {3}, 2), ErrorKind::kAxis, "axis 2 is out of range for rank 2"},
      {"integers", bad({4, 3}, {3}, -1, DType::kInt64), ErrorKind::kDType,
       "needs float32 or float64, got i64[4,3]"}};
  tests.ulps32 = tests.ulps64 = 16;
  return tests;
}
#endif
