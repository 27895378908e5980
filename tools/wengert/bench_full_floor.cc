#include "tools/wengert/bench_full_floor.h"

#include <algorithm>
#include <cmath>

#include "tools/wengert/bench_floor.h"
#include "wengert/ops/kernels/gemm.h"
#include "wengert/ops/kernels/philox.h"

namespace wengert::tools {
namespace {

/// sums[j] = Σ x[·, j].
WENGERT_WIDEST void column_sums(const float* __restrict x, std::int64_t rows, std::int64_t n,
                                float* __restrict sums) {
  for (std::int64_t j = 0; j < n; ++j) sums[j] = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < n; ++j) sums[j] += x[i * n + j];
  }
}

/// sums[j] = Σ (x[·, j] − mean[j])².
WENGERT_WIDEST void column_squares(const float* __restrict x, std::int64_t rows, std::int64_t n,
                                   const float* __restrict mean, float* __restrict sums) {
  for (std::int64_t j = 0; j < n; ++j) sums[j] = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      const float d = x[i * n + j] - mean[j];
      sums[j] += d * d;
    }
  }
}

/// y = max(0, (x − mean)·scale·gain + bias), 0 where dropped, the rest times `kept`.
WENGERT_WIDEST void normalize(const float* __restrict x, std::int64_t rows, std::int64_t n,
                              const float* __restrict mean, const float* __restrict scale,
                              const float* __restrict gain, const float* __restrict bias,
                              const std::uint8_t* __restrict dropped, float kept,
                              float* __restrict y) {
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      const float value = (x[i * n + j] - mean[j]) * scale[j] * gain[j] + bias[j];
      y[i * n + j] = value > 0 && dropped[i * n + j] == 0 ? value * kept : 0;
    }
  }
}

/// g becomes the cotangent of the norm's result; sums[j] = Σ g, products[j] = Σ g·(x − mean).
WENGERT_WIDEST void gradient_sums(float* __restrict g, const float* __restrict x,
                                  const float* __restrict y, std::int64_t rows, std::int64_t n,
                                  const float* __restrict mean, float kept, float* __restrict sums,
                                  float* __restrict products) {
  for (std::int64_t j = 0; j < n; ++j) sums[j] = products[j] = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      const float each = y[i * n + j] > 0 ? g[i * n + j] * kept : 0;
      g[i * n + j] = each;
      sums[j] += each;
      products[j] += each * (x[i * n + j] - mean[j]);
    }
  }
}

/// g ← (g − offset − (x − mean)·slope)·scale.
WENGERT_WIDEST void norm_gradient(float* __restrict g, const float* __restrict x, std::int64_t rows,
                                  std::int64_t n, const float* __restrict mean,
                                  const float* __restrict offset, const float* __restrict slope,
                                  const float* __restrict scale) {
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      g[i * n + j] = (g[i * n + j] - offset[j] - (x[i * n + j] - mean[j]) * slope[j]) * scale[j];
    }
  }
}

}  // namespace

FullFloor::FullFloor(std::vector<std::int64_t> sizes, std::int64_t batch,
                     std::vector<std::vector<float>> weights, float rate, float dropped)
    : sizes_(std::move(sizes)),
      batch_(batch),
      dropped_(dropped),
      weights_(std::move(weights)),
      weight_gradients_(weights_),
      adam_(weights_, rate) {
  for (std::size_t i = 0; i + 2 < sizes_.size(); ++i) {
    const auto units = static_cast<std::size_t>(sizes_[i + 1]);
    const std::size_t all = static_cast<std::size_t>(batch) * units;
    const std::vector<float> numbers(units);
    hidden_.push_back({std::vector<float>(all), std::vector<float>(all), std::vector<float>(all),
                       std::vector<std::uint8_t>(all), numbers, numbers, numbers, numbers, numbers,
                       numbers, numbers, std::vector<float>(units, 1.0f)});
  }
  logits_.resize(static_cast<std::size_t>(batch * sizes_.back()));
  logits_gradient_ = logits_;
}

void FullFloor::forward(std::size_t i, const float* inputs, const Mask& mask) {
  const std::int64_t in = sizes_[i], n = sizes_[i + 1];
  Hidden& h = hidden_[i];
  const float* from = i == 0 ? inputs : hidden_[i - 1].y.data();
  const std::size_t norm = hidden_.size() + 2 + 2 * i;
  kernels::gemm(false, false, batch_, n, in, from, in, weights_[i].data(), n, 0, h.x.data(), n);
  column_sums(h.x.data(), batch_, n, h.mean.data());
  const auto count = static_cast<float>(batch_);
  for (float& each : h.mean) each /= count;
  column_squares(h.x.data(), batch_, n, h.mean.data(), h.scale.data());
  for (std::size_t j = 0; j < h.scale.size(); ++j) {
    const float squares = h.scale[j];
    h.running_mean[j] = 0.9f * h.running_mean[j] + 0.1f * h.mean[j];
    h.running_variance[j] = 0.9f * h.running_variance[j] + 0.1f * squares / (count - 1);
    h.scale[j] = 1 / std::sqrt(squares / count + 1e-5f);
  }
  kernels::fill_bernoulli(DType::kUint8, reinterpret_cast<std::byte*>(h.dropped.data()), batch_ * n,
                          {mask.key, mask.counter}, static_cast<double>(dropped_));
  normalize(h.x.data(), batch_, n, h.mean.data(), h.scale.data(), weights_[norm].data(),
            weights_[norm + 1].data(), h.dropped.data(), 1 / (1 - dropped_), h.y.data());
}

void FullFloor::backward(std::size_t i) {
  const std::int64_t n = sizes_[i + 1];
  Hidden& h = hidden_[i];
  const std::size_t norm = hidden_.size() + 2 + 2 * i;
  gradient_sums(h.g.data(), h.x.data(), h.y.data(), batch_, n, h.mean.data(), 1 / (1 - dropped_),
                h.bias_gradient.data(), h.gain_gradient.data());
  const auto count = static_cast<float>(batch_);
  for (std::size_t j = 0; j < h.mean.size(); ++j) {
    const float scale = h.scale[j];
    h.offset[j] = h.bias_gradient[j] / count;
    h.slope[j] = h.gain_gradient[j] * scale * scale / count;
    h.gain_gradient[j] *= scale;
    h.scale[j] *= weights_[norm][j];
  }
  norm_gradient(h.g.data(), h.x.data(), batch_, n, h.mean.data(), h.offset.data(), h.slope.data(),
                h.scale.data());
  adam_.update(norm, weights_[norm].data(), h.gain_gradient.data());
  adam_.update(norm + 1, weights_[norm + 1].data(), h.bias_gradient.data());
}

double FullFloor::step(const float* inputs, const std::int64_t* labels,
                       const std::vector<Mask>& masks) {
  const std::size_t layers = hidden_.size();
  const std::int64_t classes = sizes_.back(), last = sizes_[layers];
  for (std::size_t i = 0; i < layers; ++i) forward(i, inputs, masks[i]);
  for (std::int64_t row = 0; row < batch_; ++row) {
    std::copy_n(weights_[layers + 1].data(), classes, logits_.data() + row * classes);
  }
  kernels::gemm(false, false, batch_, classes, last, hidden_.back().y.data(), last,
                weights_[layers].data(), classes, 1, logits_.data(), classes);
  const double loss =
      loss_and_gradient_of(logits_.data(), labels, batch_, classes, logits_gradient_.data());
  adam_.next_step();
  const float* g = logits_gradient_.data();
  for (std::size_t i = layers + 1; i-- > 0;) {
    const std::int64_t in = sizes_[i], out = sizes_[i + 1];
    const float* x = i == 0 ? inputs : hidden_[i - 1].y.data();
    if (i > 0) {
      kernels::gemm(false, true, batch_, in, out, g, out, weights_[i].data(), out, 0,
                    hidden_[i - 1].g.data(), in);
    }
    if (i == layers) {
      std::vector<float>& bias = weight_gradients_[layers + 1];
      column_sums(g, batch_, out, bias.data());
      adam_.update(layers + 1, weights_[layers + 1].data(), bias.data());
    }
    kernels::gemm(true, false, in, out, batch_, x, in, g, out, 0, weight_gradients_[i].data(), out);
    adam_.update(i, weights_[i].data(), weight_gradients_[i].data());
    if (i == 0) break;
    backward(i - 1);
    g = hidden_[i - 1].g.data();
  }
  return loss;
}

}  // namespace wengert::tools
