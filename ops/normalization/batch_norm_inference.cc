#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <cmath>
#include <vector>

#include "wengert/ops/normalization/channel_norm.h"

namespace wengert {
namespace ops {
namespace {

enum Operand : int { kX, kMean, kVariance, kGain, kBias };

void infer_batch_norm_inference(InferContext& call) {
  const int axis = infer_channels(call);
  const Shape channels{call.size(kX, axis)};
  check_part(call, kMean, "mean", channels);
  check_part(call, kVariance, "variance", channels);
  check_gain_and_bias(call, kGain, kBias, channels);
  call.output(call.dtype(kX), call.shape(kX));
}

void evaluate_batch_norm_inference(EvalContext& call) {
  const auto& a = call.attributes<ChannelNormAttributes>();
  const TensorView y = call.output();
  const kernels::ChannelShape shape = channels_of(y.shape(), a.axis);
  dispatch_floating(y.dtype, [&]<class T>(T) {
    const auto count = static_cast<std::size_t>(shape.channels);
    std::vector<double> means(2 * count), scales(count), offsets(count);
    for (std::size_t c = 0; c < count; ++c) {
      means[c] = call.input(kMean).as<T>()[c];
      scales[c] = 1 / std::sqrt(call.input(kVariance).as<T>()[c] + a.epsilon);
      if (call.has(kGain)) scales[c] *= call.input(kGain).as<T>()[c];
      offsets[c] = call.has(kBias) ? call.input(kBias).as<T>()[c] : 0;
    }
    kernels::channel_affine(call.input(kX).as<T>(), shape, means.data(), scales.data(),
                            offsets.data(), y.as<T>());
  });
}

void batch_norm_inference_vjp(VjpContext& c) {
  const auto& a = c.attributes<ChannelNormAttributes>();
  const Var g = c.cotangent();
  const int rank = c.shape(kX).size(), axis = static_cast<int>(a.axis);
  const Axes axes = axes_beside(rank, axis);
  const auto per_channel = [&](const Var& all) {
    return rank == 1 ? all : sum(all, axes);  // no axes would mean every one
  };
  if (wants(c, kBias)) c.set(kBias, per_channel(g));
  if (!wants(c, kX) && !wants(c, kMean) && !wants(c, kVariance) && !wants(c, kGain)) return;
  const Var scale = rsqrt(c.input(kVariance) + a.epsilon);
  const Var slope = c.has(kGain) && (wants(c, kX) || wants(c, kMean) || wants(c, kVariance))
                        ? cotangent_product(c.input(kGain), scale)
                        : scale;
  if (wants(c, kX)) c.set(kX, cotangent_product(g, along_axis(slope, rank, axis)));
  if (wants(c, kMean)) c.set(kMean, -cotangent_product(per_channel(g), slope));
  if (!wants(c, kVariance) && !wants(c, kGain)) return;
  const Var d = c.input(kX) - along_axis(c.input(kMean), rank, axis);
  const Var products = per_channel(cotangent_product(g, d));
  if (wants(c, kGain)) c.set(kGain, cotangent_product(products, scale));
  if (wants(c, kVariance)) {
    c.set(kVariance, cotangent_product(products, -0.5 * slope * square(scale)));
  }
}

}  // namespace

constinit const OpDef batch_norm_inference_op = {
    .name = "batch_norm_inference",
    .doc = {.summary = "Channels normalized by a mean and a variance that are given.",
            .formula = "y = (x − mean)/√(variance + ε)·gain + bias, one number a channel each",
            .arguments = "x: float32 or float64; mean, variance, gain and bias: [channels], of x's "
                         "dtype; both of the last or the bias may be left out; axis: that of the "
                         "channels, negative from the back; 1e-30 ≤ ε ≤ 1e30. NaN where variance + "
                         "ε is negative",
            .gradient = "with s = 1/√(variance + ε): ∂x = g·s·gain, ∂mean = −Σ g·s·gain, ∂variance "
                        "= −½·s³·gain·Σ g·(x − mean), ∂gain = s·Σ g·(x − mean), ∂bias = Σ g",
            .source = "S. Ioffe, C. Szegedy, Batch normalization, ICML 2015, algorithm 2"},
    .min_inputs = 3,
    .max_inputs = 5,
    .optional = 0b11000,
    .differentiable = 0b11111,
    .reads = {reads_input(kVariance) | reads_input(kGain),
              reads_input(kVariance) | reads_input(kGain),
              reads_input(kX) | reads_input(kMean) | reads_input(kVariance) | reads_input(kGain),
              reads_input(kX) | reads_input(kMean) | reads_input(kVariance)},
    .linear = {0b10011, 0b11000},
    .layouts = {Layout::kDense, Layout::kDense, Layout::kDense, Layout::kDense},
    .infer = infer_batch_norm_inference,
    .evaluate = evaluate_batch_norm_inference,
    .vjp = batch_norm_inference_vjp,
    .attributes = &attribute_type<ChannelNormAttributes>,
    .default_attributes = &default_attributes_of<ChannelNormAttributes>,
};

}  // namespace ops

Var batch_norm_inference(const Var& x, const Var& mean, const Var& variance, const Var& gain,
                         const Var& bias, int axis, double epsilon, std::source_location where) {
  return apply(ops::batch_norm_inference_op, {&x, &mean, &variance, &gain, &bias},
               ops::ChannelNormAttributes{axis, epsilon}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/normalization/norm_tests.h"

namespace {

using namespace wengert;
using namespace wengert::testing;

Sample inference_sample(const Shape& shape, int axis, int operands, double epsilon = 1e-5) {
  const Shape part{shape[axis < 0 ? axis + shape.size() : axis]};
  Sample sample;
  sample.name = to_string(shape) + " axis " + std::to_string(axis) + ", " +
                std::to_string(operands) + " operands";
  sample.inputs = {spread(shape, -2, 3, 3), spread(part, -1, 1, 4), spread(part, 0.5, 2, 5),
                   spread(part, 0.5, 2, 6), spread(part, -1, 1, 7)};
  sample.inputs.resize(static_cast<std::size_t>(operands));
  sample.call = [=](std::span<const Var> x) {
    return std::vector<Var>{batch_norm_inference(x[0], x[1], x[2], operand_or_none(x, 3),
                                                 operand_or_none(x, 4), axis, epsilon)};
  };
  sample.reference = [=](std::span<const Tensor> x) {
    const ChannelView view(x[0].shape(), axis);
    std::vector<double> y(static_cast<std::size_t>(x[0].element_count()));
    for (std::int64_t c = 0; c < view.channels; ++c) {
      for (std::int64_t i = 0; i < view.count(); ++i) {
        const std::int64_t at = view.position(c, i);
        const double hat = (x[0].at(at) - x[1].at(c)) / std::sqrt(x[2].at(c) + epsilon);
        y[static_cast<std::size_t>(at)] =
            hat * (x.size() > 3 ? x[3].at(c) : 1) + (x.size() > 4 ? x[4].at(c) : 0);
      }
    }
    return std::vector<Tensor>{Tensor::from(y, x[0].shape())};
  };
  sample.scale = 8;
  return sample;
}

}  // namespace

WENGERT_OP_TESTS(batch_norm_inference) {
  OpTests tests;
  for (int operands = 3; operands <= 5; ++operands) {
    tests.samples.push_back(inference_sample({5, 3}, 1, operands));
    tests.samples.push_back(inference_sample({3, 2, 2, 3}, 1, operands));
    tests.samples.push_back(inference_sample({2, 3, 4}, -1, operands, 0.1));
  }
  tests.samples.push_back(inference_sample({4, 6}, 0, 5));
  tests.samples.push_back(inference_sample({7}, 0, 5));
  tests.samples.push_back(inference_sample({1, 3}, 1, 5));
  tests.samples.push_back(inference_sample({0, 3}, 1, 5));
  tests.samples.push_back(inference_sample(kLongColumns, 1, 5));
  tests.samples.push_back(inference_sample(kLongRows, 1, 5));
  const auto bad = [](const Shape& x, const Shape& mean, const Shape& variance, double epsilon) {
    return [=] {
      (void)batch_norm_inference(Tensor::zeros(x), Tensor::zeros(mean), Tensor::zeros(variance), {},
                                 {}, 1, epsilon);
    };
  };
  tests.rejected = {{"mean", bad({4, 3}, {4}, {3}, 1e-5), ErrorKind::kShape,
                     "the mean is f32[4] where x is f32[4,3]"},
                    {"variance", bad({4, 3}, {3}, {3, 1}, 1e-5), ErrorKind::kShape,
                     "the variance is f32[3,1] where x is f32[4,3]"},
                    {"epsilon", bad({4, 3}, {3}, {3}, -1), ErrorKind::kValue,
                     "epsilon must lie in [1e-30, 1e30], got -1"},
                    {"dtypes",
                     [] {
                       (void)batch_norm_inference(Tensor::zeros({4, 3}),
                                                  Tensor::zeros({3}, DType::kFloat64),
                                                  Tensor::zeros({3}));
                     },
                     ErrorKind::kDType, "mixed dtypes: f32[4,3] and f64[3]"}};
  tests.ulps32 = tests.ulps64 = 16;
  return tests;
}
#endif
