#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/composite.h"
#include "wengert/ops/normalization/checks.h"

namespace wengert {
namespace ops {
namespace {

struct GroupNormAttributes {
  std::int64_t groups = 1;
  double epsilon = 1e-5;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("groups", self.groups);
    v("epsilon", self.epsilon);
  }
};

struct InstanceNormAttributes {
  double epsilon = 1e-5;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("epsilon", self.epsilon);
  }
};

enum Operand : int { kX, kGain, kBias };

void check_operands(const ExpandContext& call, double epsilon) {
  call.require_floating(kX);
  if (call.rank(kX) < 2) {
    call.fail(ErrorKind::kShape, "x is " + call.describe(kX), "give it [batch, channels, …]");
  }
  check_epsilon(call, epsilon);
  check_gain_and_bias(call, kGain, kBias, {call.size(kX, 1)});
}

/// As rows of one group each, then scaled by channel.
Var normalized(const ExpandContext& call, std::int64_t groups, double epsilon) {
  const Var& x = call.operand(kX);
  const Shape shape = x.shape();
  Var y = x;
  if (element_count(shape) > 0) {
    Shape grouped{shape[0], groups, shape[1] / groups};
    for (int d = 2; d < shape.size(); ++d) grouped[2] *= shape[d];
    y = reshape(layer_norm(reshape(x, grouped, call.where()), {}, {}, 2, epsilon, call.where()),
                shape, call.where());
  }
  if (call.has(kGain)) y = y * along_axis(call.operand(kGain), shape.size(), 1);
  if (call.has(kBias)) y = y + along_axis(call.operand(kBias), shape.size(), 1);
  return y;
}

Var expand_group_norm(const ExpandContext& call) {
  const auto& a = call.attributes<GroupNormAttributes>();
  check_operands(call, a.epsilon);
  const std::int64_t channels = call.size(kX, 1);
  if (a.groups < 1 || channels % a.groups != 0) {
    call.fail(ErrorKind::kShape, std::to_string(a.groups) + " groups do not divide the " +
                                     std::to_string(channels) + " channels of " +
                                     call.describe(kX));
  }
  return normalized(call, a.groups, a.epsilon);
}

Var expand_instance_norm(const ExpandContext& call) {
  const auto& a = call.attributes<InstanceNormAttributes>();
  check_operands(call, a.epsilon);
  if (call.rank(kX) < 3) {
    call.fail(ErrorKind::kShape, "x is " + call.describe(kX) + ": one element a channel",
              "give it [batch, channels, …] with axes to take the mean over");
  }
  return normalized(call, call.size(kX, 1), a.epsilon);
}

}  // namespace

constinit const OpDef group_norm_op = composite(
    "group_norm", 1, 3, 0b111, expand_group_norm, &attribute_type<GroupNormAttributes>, nullptr,
    {.summary = "Each example normalized by the mean and variance of groups of its channels.",
     .formula = "y = x̂·gain + bias, x̂ = (x − μ)/√(σ² + ε), μ and σ² (divided by n) of the n "
                "elements of channels/groups neighbouring channels of one example",
     .arguments = "x: float32 or float64 [batch, channels, …]; groups: divides the channels; gain "
                  "and bias: [channels], both or the bias alone may be left out; 1e-30 ≤ ε ≤ 1e30. "
                  "Recorded as layer_norm of the groups, a product and a sum",
     .gradient = "as layer_norm's over each group",
     .source = "Y. Wu, K. He, Group normalization, ECCV 2018"},
    0b110);

constinit const OpDef instance_norm_op = composite(
    "instance_norm", 1, 3, 0b111, expand_instance_norm, &attribute_type<InstanceNormAttributes>,
    &default_attributes_of<InstanceNormAttributes>,
    {.summary = "Each channel of each example normalized by its own mean and variance.",
     .formula = "y = x̂·gain + bias, x̂ = (x − μ)/√(σ² + ε), μ and σ² (divided by n) of the n "
                "elements of one channel of one example",
     .arguments = "x: float32 or float64 [batch, channels, …], rank ≥ 3; gain and bias: "
                  "[channels], both or the bias alone may be left out; 1e-30 ≤ ε ≤ 1e30. Recorded "
                  "as layer_norm of the channels, a product and a sum",
     .gradient = "as layer_norm's over each channel",
     .source = "D. Ulyanov, A. Vedaldi, V. Lempitsky, Instance normalization, 2016"},
    0b110);

}  // namespace ops

Var group_norm(const Var& x, std::int64_t groups, const Var& gain, const Var& bias, double epsilon,
               std::source_location where) {
  return apply(ops::group_norm_op, {&x, &gain, &bias}, ops::GroupNormAttributes{groups, epsilon},
               where);
}

Var instance_norm(const Var& x, const Var& gain, const Var& bias, double epsilon,
                  std::source_location where) {
  return apply(ops::instance_norm_op, {&x, &gain, &bias}, ops::InstanceNormAttributes{epsilon},
               where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/normalization/norm_tests.h"

namespace {

using namespace wengert;
using namespace wengert::testing;

/// groups 0: every channel is one.
Sample group_sample(const Shape& shape, std::int64_t groups, int operands) {
  Sample sample;
  sample.name = to_string(shape) + ", " + std::to_string(groups) + " groups, " +
                std::to_string(operands) + " operands";
  sample.inputs = norm_operands(shape, {shape[1]}, operands, -2, 3);
  sample.call = [=](std::span<const Var> x) {
    const Var gain = operand_or_none(x, 1), bias = operand_or_none(x, 2);
    return std::vector<Var>{groups == 0 ? instance_norm(x[0], gain, bias)
                                        : group_norm(x[0], groups, gain, bias)};
  };
  sample.reference = [=](std::span<const Tensor> x) {
    const std::int64_t inner = ChannelView(shape, 1).inner;
    const std::int64_t together = groups == 0 ? 1 : shape[1] / groups, n = together * inner;
    std::vector<double> y;
    for (std::int64_t first = 0; first < x[0].element_count(); first += n) {
      long double mean = 0, squares = 0;
      for (std::int64_t i = 0; i < n; ++i) mean += x[0].at(first + i);
      mean /= static_cast<long double>(n);
      for (std::int64_t i = 0; i < n; ++i) {
        squares += (x[0].at(first + i) - mean) * (x[0].at(first + i) - mean);
      }
      for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t channel = (first + i) / inner % shape[1];
        const long double hat =
            (x[0].at(first + i) - mean) / std::sqrt(squares / static_cast<long double>(n) + 1e-5L);
        y.push_back(static_cast<double>(hat * (x.size() > 1 ? x[1].at(channel) : 1) +
                                        (x.size() > 2 ? x[2].at(channel) : 0)));
      }
    }
    return std::vector<Tensor>{Tensor::from(y, shape)};
  };
  sample.scale = 4;
  return sample;
}

std::vector<Rejected> rejected(const std::function<Var(const Var&, const Var&, double)>& call) {
  const auto bad = [call](const Shape& x, const Shape& gain, double epsilon = 1e-5) {
    return [=] { (void)call(Tensor::zeros(x), Tensor::zeros(gain), epsilon); };
  };
  return {
      {"gain", bad({2, 4, 3}, {3}), ErrorKind::kShape, "the gain is f32[3] where x is f32[2,4,3]"},
      {"rank", bad({4}, {4}), ErrorKind::kShape, "x is f32[4]"},
      {"epsilon", bad({2, 4, 3}, {4}, 0), ErrorKind::kValue,
       "epsilon must lie in [1e-30, 1e30], got 0"}};
}

}  // namespace

WENGERT_OP_TESTS(group_norm) {
  OpTests tests;
  for (int operands = 1; operands <= 3; ++operands) {
    tests.samples.push_back(group_sample({2, 6, 3}, 2, operands));
    tests.samples.push_back(group_sample({3, 4, 2, 2}, 4, operands));
  }
  tests.samples.push_back(group_sample({3, 6}, 1, 3));
  tests.samples.push_back(group_sample({0, 6}, 2, 3));
  tests.samples.push_back(group_sample({2, 6, 0}, 2, 3));
  tests.samples.push_back(group_sample({24041, 4}, 2, 3));
  tests.samples.push_back(group_sample({3, 4, 12001}, 2, 3));
  tests.rejected = rejected(
      [](const Var& x, const Var& gain, double e) { return group_norm(x, 2, gain, {}, e); });
  tests.rejected.push_back({"no divisor",
                            [] {
                              (void)group_norm(Tensor::zeros({2, 5}), 2);
                            },
                            ErrorKind::kShape,
                            "2 groups do not divide the 5 channels of f32[2,5]"});
  tests.ulps32 = tests.ulps64 = 16;
  return tests;
}

WENGERT_OP_TESTS(instance_norm) {
  OpTests tests;
  for (int operands = 1; operands <= 3; ++operands) {
    tests.samples.push_back(group_sample({2, 3, 5}, 0, operands));
    tests.samples.push_back(group_sample({2, 3, 2, 3}, 0, operands));
  }
  tests.samples.push_back(group_sample({2, 0, 3}, 0, 3));
  tests.samples.push_back(group_sample({2, 3, 12001}, 0, 3));
  tests.samples.push_back(group_sample({8001, 3, 2}, 0, 3));
  tests.rejected = rejected(
      [](const Var& x, const Var& gain, double e) { return instance_norm(x, gain, {}, e); });
  tests.rejected.push_back({"two axes",
                            [] {
                              (void)instance_norm(Tensor::zeros({2, 5}));
                            },
                            ErrorKind::kShape, "x is f32[2,5]: one element a channel"});
  tests.ulps32 = tests.ulps64 = 16;
  return tests;
}
#endif
