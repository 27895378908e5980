#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <cmath>
#include <vector>

#include "wengert/ops/dense_input.h"
#include "wengert/ops/normalization/channel_norm.h"

namespace wengert {
namespace ops {
namespace {

enum Operand : int { kX, kGain, kBias };
/// Beside y: what running averages are made of, and, hidden, mean in two parts and 1/√(variance +
/// ε) as double.
enum Result : int { kY, kMean, kVariance, kStatistics };

void infer_batch_norm(InferContext& call) {
  const int axis = infer_channels(call);
  const Shape shape = call.shape(kX);
  check_gain_and_bias(call, kGain, kBias, {shape[axis]});
  const std::int64_t count = channels_of(shape, axis).elements();
  if (count < 2) {
    call.fail(ErrorKind::kShape,
              std::to_string(count) + (count == 1 ? " element" : " elements") + " a channel in " +
                  call.describe(kX) + " have no variance",
              "training needs a batch of two at least; use running statistics with "
              "batch_norm_inference");
  }
  call.output(call.dtype(kX), shape);
  call.output(call.dtype(kX), {shape[axis]});
  call.output(call.dtype(kX), {shape[axis]});
  call.output(DType::kFloat64, {3, shape[axis]});
}

void evaluate_batch_norm(EvalContext& call) {
  const auto& a = call.attributes<ChannelNormAttributes>();
  const TensorView y = call.output(kY);
  const kernels::ChannelShape shape = channels_of(y.shape(), a.axis);
  double* means = call.output(kStatistics).as<double>();
  double* scales = means + 2 * shape.channels;
  dispatch_floating(y.dtype, [&]<class T>(T) {
    const T* x = call.input(kX).as<T>();
    std::vector<double> gains(static_cast<std::size_t>(shape.channels)), offsets(gains),
        variances(gains);
    kernels::channel_statistics(x, shape, a.epsilon, means, variances.data(), scales);
    T *mean = call.output(kMean).as<T>(), *variance = call.output(kVariance).as<T>();
    const T* gain = call.has(kGain) ? call.input(kGain).as<T>() : nullptr;
    const T* bias = call.has(kBias) ? call.input(kBias).as<T>() : nullptr;
    for (std::int64_t c = 0; c < shape.channels; ++c) {
      const auto at = static_cast<std::size_t>(c);
      mean[c] = static_cast<T>(means[c] + means[shape.channels + c]);
      variance[c] = static_cast<T>(variances[at]);
      gains[at] = gain != nullptr ? scales[c] * gain[c] : scales[c];
      offsets[at] = bias != nullptr ? bias[c] : 0;
    }
    kernels::channel_affine(x, shape, means, gains.data(), offsets.data(), y.as<T>());
  });
}

/// With ĝ = g·gain: ∂x = (ĝ − mean ĝ − x̂·mean(ĝ·x̂))/√(variance + ε), all of it in ops of x, so that
/// the derivatives of mean and variance are in the next order.
void batch_norm_vjp(VjpContext& c) {
  const auto& a = c.attributes<ChannelNormAttributes>();
  const Var g = c.cotangent(kY);
  if (!g.has_value()) return;
  const int rank = c.shape(kX).size(), axis = static_cast<int>(a.axis);
  const Axes axes = axes_beside(rank, axis);
  if (wants(c, kBias)) c.set(kBias, sum(g, axes));
  if (!wants(c, kX) && !wants(c, kGain)) return;
  const Var x = c.input(kX);
  const Var d = x - mean(x, axes, true);
  const Var scale = rsqrt(mean(square(d), axes, true) + a.epsilon);
  const Var normalized = d * scale;
  if (wants(c, kGain)) c.set(kGain, sum(cotangent_product(g, normalized), axes));
  if (!wants(c, kX)) return;
  const Var h = c.has(kGain) ? cotangent_product(g, along_axis(c.input(kGain), rank, axis)) : g;
  const Var slope = mean(cotangent_product(h, normalized), axes, true);
  c.set(kX,
        cotangent_product(h - mean(h, axes, true) - cotangent_product(slope, normalized), scale));
}

/// The elements of one channel, where few channels are looked at.
template <class T, class Body>
void over_channel(T* x, const kernels::ChannelShape& shape, std::int64_t channel,
                  const Body& body) {
  for (std::int64_t a = 0; a < shape.outer; ++a) {
    T* run = x + (a * shape.channels + channel) * shape.inner;
    for (std::int64_t i = 0; i < shape.inner; ++i) body(run[i]);
  }
}

/// Channels whose numbers are not finite and whose cotangents are all 0: their gradients stay 0.
template <class T>
std::vector<std::int64_t> silent_channels(const T* g, const kernels::ChannelShape& shape,
                                          const double* means, const std::vector<double>& gains) {
  std::vector<std::int64_t> silent;
  for (std::int64_t k = 0; k < shape.channels; ++k) {
    if (std::isfinite(means[k]) && std::isfinite(gains[static_cast<std::size_t>(k)])) continue;
    bool zero = true;
    over_channel(g, shape, k, [&](T each) { zero = zero && each == 0; });
    if (zero) silent.push_back(k);
  }
  return silent;
}

void backward_batch_norm(BackwardContext& c) {
  const auto& a = c.attributes<ChannelNormAttributes>();
  const DenseInput cotangent(c.cotangent(kY));
  const TensorView& g = cotangent.view();
  const kernels::ChannelShape shape = channels_of(g.shape(), a.axis);
  const auto count = static_cast<std::size_t>(shape.channels);
  dispatch_floating(g.dtype, [&]<class T>(T) {
    std::vector<double> sums(count), products(count);
    const auto n = static_cast<double>(shape.elements());
    std::vector<double> gains(count), slopes(count), offsets(count);
    if (!wants(c, kX) && !wants(c, kGain)) {  // x may be gone
      const std::vector<double> zeros(2 * count);
      kernels::channel_products(g.as<T>(), g.as<T>(), shape, zeros.data(), sums.data(),
                                products.data());
    } else {
      const T* x = c.input(kX).as<T>();
      const bool scaled = c.has(kGain) && wants(c, kX);  // else the gain may be gone
      const double* means = c.output(kStatistics).as<double>();
      const double* scales = means + 2 * shape.channels;
      kernels::channel_products(g.as<T>(), x, shape, means, sums.data(), products.data());
      const T* gain = scaled ? c.input(kGain).as<T>() : nullptr;
      const double share = 1 / n;
      for (std::size_t k = 0; k < count; ++k) {
        gains[k] = gain != nullptr ? scales[k] * gain[k] : scales[k];
        products[k] *= scales[k];
        slopes[k] = products[k] * scales[k] * share;
        offsets[k] = sums[k] * share;
      }
      const auto silent = silent_channels(g.as<T>(), shape, means, gains);
      for (const std::int64_t k : silent) products[static_cast<std::size_t>(k)] = 0;
      if (wants(c, kX)) {
        const auto to = c.gradient(kX);
        T* gx = to.view.as<T>();
        std::vector<T> kept;
        for (const std::int64_t k : silent) {
          over_channel(gx, shape, k, [&](T each) { kept.push_back(to.accumulate ? each : T(0)); });
        }
        kernels::channel_gradient(g.as<T>(), x, shape, means, gains.data(), slopes.data(),
                                  offsets.data(), gx, to.accumulate);
        std::size_t next = 0;
        for (const std::int64_t k : silent) {
          over_channel(gx, shape, k, [&](T& each) { each = kept[next++]; });
        }
      }
    }
    if (wants(c, kGain)) put_numbers(c.gradient(kGain), products.data());
    if (wants(c, kBias)) put_numbers(c.gradient(kBias), sums.data());
  });
}

}  // namespace

constinit const OpDef batch_norm_op = {
    .name = "batch_norm",
    .doc =
        {.summary = "Channels normalized by the mean and variance of this batch, in training.",
         .formula = "y = x̂·gain + bias, x̂ = (x − μ)/√(σ² + ε); μ and σ² (biased, divided by n) "
                    "of the n elements of each channel, in every axis but `axis`. Gives y, μ, σ²",
         .arguments =
             "x: float32 or float64, two elements a channel at least; gain and bias: [channels], "
             "of x's dtype, both or the gain alone may be left out with what follows; axis: that "
             "of the channels, negative from the back; 1e-30 ≤ ε ≤ 1e30",
         .gradient = "with h = g·gain: ∂x = (h − mean h − x̂·mean(h·x̂))/√(σ² + ε), ∂gain = Σ g·x̂, "
                     "∂bias = Σ g. None flows through μ and σ², which are for running averages",
         .source = "S. Ioffe, C. Szegedy, Batch normalization, ICML 2015"},
    .min_inputs = 1,
    .max_inputs = 3,
    .optional = 0b110,
    .differentiable = 0b111,
    .reads = {reads_input(kX) | reads_input(kGain) | reads_output(kStatistics),
              reads_input(kX) | reads_output(kStatistics), kReadsNothing},
    .layouts = {Layout::kDense, Layout::kDense, Layout::kDense},
    .hidden_outputs = 1,
    .discrete_outputs = 0b1110,
    .infer = infer_batch_norm,
    .evaluate = evaluate_batch_norm,
    .vjp = batch_norm_vjp,
    .backward = backward_batch_norm,
    .attributes = &attribute_type<ChannelNormAttributes>,
    .default_attributes = &default_attributes_of<ChannelNormAttributes>,
};

}  // namespace ops

Outputs<3> batch_norm(const Var& x, const Var& gain, const Var& bias, int axis, double epsilon,
                      std::source_location where) {
  const Var* inputs[] = {&x, &gain, &bias};
  const ops::ChannelNormAttributes attributes = {axis, epsilon};
  Outputs<3> results;
  apply_into(results, ops::batch_norm_op, inputs, &attributes, where);
  return results;
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/normalization/norm_tests.h"

namespace {

using namespace wengert;
using namespace wengert::testing;

/// Textbook form: y, mean and biased variance of each channel.
std::vector<Tensor> normalized(std::span<const Tensor> in, int axis, double epsilon) {
  const Tensor& x = in[0];
  const ChannelView view(x.shape(), axis);
  std::vector<double> y(static_cast<std::size_t>(x.element_count())), means, variances;
  for (std::int64_t c = 0; c < view.channels; ++c) {
    long double mean = 0, variance = 0;
    for (std::int64_t i = 0; i < view.count(); ++i) mean += x.at(view.position(c, i));
    mean /= static_cast<long double>(view.count());
    for (std::int64_t i = 0; i < view.count(); ++i) {
      const long double d = x.at(view.position(c, i)) - mean;
      variance += d * d / static_cast<long double>(view.count());
    }
    for (std::int64_t i = 0; i < view.count(); ++i) {
      const std::int64_t at = view.position(c, i);
      const long double hat = (x.at(at) - mean) / std::sqrt(variance + epsilon);
      y[static_cast<std::size_t>(at)] = static_cast<double>(
          hat * (in.size() > 1 ? in[1].at(c) : 1) + (in.size() > 2 ? in[2].at(c) : 0));
    }
    means.push_back(static_cast<double>(mean));
    variances.push_back(static_cast<double>(variance));
  }
  const Shape of_channels{view.channels};
  return {Tensor::from(y, x.shape()), Tensor::from(means, of_channels),
          Tensor::from(variances, of_channels)};
}

Sample batch_norm_sample(const Shape& shape, int axis, int operands, double epsilon = 1e-5,
                         double low = -2, double high = 3, bool statistics = false) {
  Sample sample;
  sample.name = (statistics ? "statistics of " : "") + to_string(shape) + " axis " +
                std::to_string(axis) + ", " + std::to_string(operands) + " operands, epsilon " +
                std::to_string(epsilon);
  sample.inputs =
      norm_operands(shape, {shape[axis < 0 ? axis + shape.size() : axis]}, operands, low, high);
  sample.call = [=](std::span<const Var> x) {
    const auto results =
        batch_norm(x[0], operand_or_none(x, 1), operand_or_none(x, 2), axis, epsilon);
    return statistics ? std::vector<Var>{results[1], results[2]} : std::vector<Var>{results[0]};
  };
  sample.smooth = !statistics;
  sample.reference = [=](std::span<const Tensor> x) {
    const auto all = normalized(x, axis, epsilon);
    return statistics ? std::vector<Tensor>{all[1], all[2]} : std::vector<Tensor>{all[0]};
  };
  sample.scale = 4;
  return sample;
}

}  // namespace

WENGERT_OP_TESTS(batch_norm) {
  OpTests tests;
  for (int operands = 1; operands <= 3; ++operands) {
    tests.samples.push_back(batch_norm_sample({5, 3}, 1, operands));
    tests.samples.push_back(batch_norm_sample({3, 2, 2, 3}, 1, operands));
    tests.samples.push_back(batch_norm_sample({2, 3, 4}, -1, operands, 0.1));
    tests.samples.push_back(batch_norm_sample({4, 6}, 0, operands));
  }
  tests.samples.push_back(batch_norm_sample({300, 1}, 1, 3));
  tests.samples.push_back(batch_norm_sample({4, 0}, 1, 3));
  tests.samples.push_back(batch_norm_sample({130, 70}, 1, 3));
  tests.samples.push_back(batch_norm_sample({6, 5, 9, 11}, 1, 3));
  tests.samples.push_back(batch_norm_sample(kLongColumns, 1, 3));
  tests.samples.push_back(batch_norm_sample(kLongRows, 1, 3));
  tests.samples.push_back(batch_norm_sample({5, 3, 71, 67}, 1, 3));
  for (const Shape& shape : {Shape{5, 3}, Shape{2, 3, 4}, Shape{300, 1}, kLongColumns, kLongRows}) {
    tests.samples.push_back(batch_norm_sample(shape, 1, 1, 1e-5, -2, 3, true));
  }
  tests.samples.push_back(holds_sample("a mean that is large beside the deviation", [] {
    const Tensor x = spread({40, 3}, 9999, 10001).to(DType::kFloat32);
    const Tensor y = batch_norm(x)[0].value();
    return near(y, normalized({&x, 1}, 1, 1e-5)[0], 1e-6);
  }));
  tests.samples.push_back(holds_sample("a mean between two numbers", [] {
    const Tensor x = Tensor::from({16777216.f, 16777216.f, 16777218.f, 16777218.f}, {2, 2});
    return near(batch_norm(x)[0].value(), normalized({&x, 1}, 1, 1e-5)[0], 1e-6);
  }));
  tests.samples.push_back(holds_sample("squares beyond the range", [] {
    const Tensor y = batch_norm(Tensor::from({1e200, -1e200}, {2, 1}))[0].value();
    return y.at(0) == 1 && y.at(1) == -1;
  }));
  tests.samples.push_back(
      fixed_sample("equal elements", {Tensor::from({3., 3., 3.}, {3, 1})},
                   [](std::span<const Var> x) { return std::vector<Var>{batch_norm(x[0])[0]}; },
                   {Tensor::from({0., 0., 0.}, {3, 1})}));
  const auto bad = [](const Shape& x, const Shape& gain, int axis, double epsilon,
                      DType dtype = DType::kFloat32) {
    return [=] {
      (void)batch_norm(Tensor::zeros(x, dtype), Tensor::zeros(gain, dtype), {}, axis, epsilon);
    };
  };
  tests.rejected = {
      {"a batch of one", bad({1, 3}, {3}, 1, 1e-5), ErrorKind::kShape,
       "1 element a channel in f32[1,3] have no variance"},
      {"no batch", bad({0, 3}, {3}, 1, 1e-5), ErrorKind::kShape,
       "0 elements a channel in f32[0,3] have no variance"},
      {"gain", bad({4, 3}, {4}, 1, 1e-5), ErrorKind::kShape,
       "the gain is f32[4] where x is f32[4,3]"},
      {"axis", bad({4, 3}, {3}, 2, 1e-5), ErrorKind::kAxis, "axis 2 is out of range for rank 2"},
      {"epsilon", bad({4, 3}, {3}, 1, 0), ErrorKind::kValue,
       "epsilon must lie in [1e-30, 1e30], got 0"},
      {"NaN epsilon", bad({4, 3}, {3}, 1, kNan), ErrorKind::kValue,
       "epsilon must lie in [1e-30, 1e30], got nan"},
      {"integers", bad({4, 3}, {3}, 1, 1e-5, DType::kInt32), ErrorKind::kDType,
       "needs float32 or float64, got i32[4,3]"},
      {"scalar", bad({}, {3}, 0, 1e-5), ErrorKind::kShape, "x is a scalar f32[]"},
      {"bias alone",
       [] {
         (void)batch_norm(Tensor::zeros({4, 3}), {}, Tensor::zeros({3}));
       },
       ErrorKind::kShape, "a bias without a gain"}};
  tests.ulps32 = tests.ulps64 = 16;
  return tests;
}
#endif
