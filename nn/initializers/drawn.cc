#include <cmath>
#include <vector>

#include "wengert/graph/error.h"
#include "wengert/nn/initializers/record.h"

// Initializers whose spread is told, not computed from fans.
namespace wengert::nn {
namespace {

std::string_view refuse_stddev(double, double stddev) {
  return stddev < 0 ? "the standard deviation is negative" : "";
}
std::string_view refuse_order(double low, double high) {
  return high < low ? "high is below low" : "";
}

void fill_with_normal(const Initializer& self, std::uint64_t seed, std::string_view name,
                      const Fans&, Tensor& out) {
  require_floating(self, out);
  fill_normal(out, seed, name, 0, self.first, self.second);
}

void fill_with_uniform(const Initializer& self, std::uint64_t seed, std::string_view name,
                       const Fans&, Tensor& out) {
  require_floating(self, out);
  fill_uniform(out, seed, name, 0, self.first, self.second);
}

void fill_near_zero_normal(const Initializer& self, std::uint64_t seed, std::string_view name,
                           const Fans&, Tensor& out) {
  require_floating(self, out);
  fill_normal(out, seed, name, 0, 0, 0.01);
}

void fill_near_zero_uniform(const Initializer& self, std::uint64_t seed, std::string_view name,
                            const Fans&, Tensor& out) {
  require_floating(self, out);
  fill_uniform(out, seed, name, 0, -0.01, 0.01);
}

/// The standard deviation of N(0, 1) cut to ±2: √(1 − 4φ(2)/(2Φ(2) − 1)).
constexpr double kCutDeviation = 0.87962566103423978;

/// Draws again what lies beyond two deviations; attempt k is draw k of the stream, so that an
/// element depends on its index alone.
void fill_truncated_normal(const Initializer& self, std::uint64_t seed, std::string_view name,
                           const Fans&, Tensor& out) {
  require_floating(self, out);
  const auto count = static_cast<std::size_t>(out.element_count());
  std::vector<double> cut(count, 3);
  Tensor draws = Tensor::empty(out.shape(), DType::kFloat64);
  bool again = count > 0;
  for (std::uint64_t attempt = 0; again; ++attempt) {
    fill_normal(draws, seed, name, attempt);
    again = false;
    const auto drawn = draws.span<double>();
    for (std::size_t i = 0; i < count; ++i) {
      if (std::fabs(cut[i]) > 2) cut[i] = drawn[i];
      again |= std::fabs(cut[i]) > 2;
    }
  }
  const WriteGuard guard(out, "truncated_normal");
  dispatch_floating(out.dtype(), [&]<class T>(T) {
    const std::span<T> to = guard.span<T>();
    for (std::size_t i = 0; i < count; ++i) {
      to[i] = static_cast<T>(self.first + self.second / kCutDeviation * cut[i]);
    }
  });
}

}  // namespace

constinit const InitializerDef normal_initializer = {
    .name = "normal",
    .doc = {.summary = "Normal numbers of a told mean and deviation.",
            .formula = "w ~ N(mean, stddev²)",
            .notes = "stddev = 0 gives the mean.",
            .source = "elementary"},
    .numbers = {{"mean", "μ", -3}, {"stddev", "σ, not negative", 0.5}},
    .refuse = refuse_stddev,
    .fill = fill_with_normal};

constinit const InitializerDef uniform_initializer = {
    .name = "uniform",
    .doc = {.summary = "Numbers of an interval, each part alike.",
            .formula = "w ~ U[low, high)",
            .notes = "low = high gives that number.",
            .source = "elementary"},
    .numbers = {{"low", "the least", -2}, {"high", "the end, not below low", 5}},
    .refuse = refuse_order,
    .fill = fill_with_uniform};

constinit const InitializerDef truncated_normal_initializer = {
    .name = "truncated_normal",
    .doc =
        {.summary = "Normal numbers without tails, of the deviation that is told.",
         .formula = "w = mean + stddev·z/0.8796…, z ~ N(0, 1) drawn again until |z| ≤ 2",
         .notes =
             "The bounds are in deviations, and the deviation is that after the cut, as in Keras' "
             "and "
             "JAX's variance scaling. PyTorch's trunc_normal_ takes absolute bounds of ±2 and the "
             "deviation before the cut.",
         .source = "C. Robert, Simulation of truncated normal variables, 1995"},
    .numbers = {{"mean", "μ", 1}, {"stddev", "σ after the cut, not negative", 0.5}},
    .refuse = refuse_stddev,
    .fill = fill_truncated_normal};

constinit const InitializerDef near_zero_normal_initializer = {
    .name = "near_zero_normal",
    .doc = {.summary = "Small normal numbers, whatever the layer's size.",
            .formula = "w ~ N(0, 0.01²)",
            .notes =
                "What was done before scales came from fans: signals and gradients of deep nets "
                "vanish under it.",
            .source = "A. Krizhevsky, I. Sutskever, G. Hinton, ImageNet classification with deep "
                      "convolutional neural networks, 2012, section 5"},
    .fill = fill_near_zero_normal};

constinit const InitializerDef near_zero_uniform_initializer = {
    .name = "near_zero_uniform",
    .doc = {.summary = "Small numbers of an interval about 0, whatever the layer's size.",
            .formula = "w ~ U[−0.01, 0.01)",
            .notes = "As near_zero_normal, with a deviation smaller by √3.",
            .source = "as near_zero_normal"},
    .fill = fill_near_zero_uniform};

}  // namespace wengert::nn
