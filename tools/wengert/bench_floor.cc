#include "tools/wengert/bench_floor.h"

#include <algorithm>
#include <cmath>

#include "tools/wengert/bench_adam_floor.h"
#include "wengert/graph/op.h"
#include "wengert/ops/kernels/gemm.h"

namespace wengert::tools {

MlpFloor::MlpFloor(std::vector<std::int64_t> sizes, std::int64_t batch,
                   std::vector<std::vector<float>> weights)
    : sizes_(std::move(sizes)), batch_(batch), weights_(std::move(weights)) {
  for (std::size_t layer = 1; layer < sizes_.size(); ++layer) {
    activations_.emplace_back(static_cast<std::size_t>(batch * sizes_[layer]));
    gradients_.emplace_back(static_cast<std::size_t>(batch * sizes_[layer]));
  }
}

double loss_and_gradient_of(const float* logits, const std::int64_t* labels, std::int64_t batch,
                            std::int64_t classes, float* gradient) {
  double loss = 0;
  for (std::int64_t row = 0; row < batch; ++row) {
    const float* x = logits + row * classes;
    float* g = gradient + row * classes;
    const float top = *std::max_element(x, x + classes);
    float total = 0;
    for (std::int64_t c = 0; c < classes; ++c) total += g[c] = std::exp(x[c] - top);
    loss += std::log(total) + top - x[labels[row]];
    const float scale = 1.0f / (total * static_cast<float>(batch));
    for (std::int64_t c = 0; c < classes; ++c) g[c] *= scale;
    g[labels[row]] -= 1.0f / static_cast<float>(batch);
  }
  return loss / static_cast<double>(batch);
}

double MlpFloor::loss_and_gradient(const std::int64_t* labels) {
  return loss_and_gradient_of(activations_.back().data(), labels, batch_, sizes_.back(),
                              gradients_.back().data());
}

void MlpFloor::forward(const float* inputs) {
  static const ElementwiseKernels& tanh_kernels = *find_op("tanh")->elementwise->kernels;
  const std::size_t layers = sizes_.size() - 1;
  for (std::size_t i = 0; i < layers; ++i) {
    const std::int64_t in = sizes_[i], out = sizes_[i + 1];
    const float* x = i == 0 ? inputs : activations_[i - 1].data();
    float* y = activations_[i].data();
    const float* bias = weights_[2 * i + 1].data();
    for (std::int64_t row = 0; row < batch_; ++row) std::copy(bias, bias + out, y + row * out);
    kernels::gemm(false, false, batch_, out, in, x, in, weights_[2 * i].data(), out, 1, y, out);
    if (i + 1 < layers) {
      const void* operand[] = {y};
      tanh_kernels.forward[0](operand, y, batch_ * out, nullptr);
    }
  }
}

void MlpFloor::propagate(std::size_t i) {
  static const ElementwiseKernels& tanh_kernels = *find_op("tanh")->elementwise->kernels;
  const std::int64_t in = sizes_[i], out = sizes_[i + 1];
  float* previous = gradients_[i - 1].data();
  kernels::gemm(false, true, batch_, in, out, gradients_[i].data(), out, weights_[2 * i].data(),
                out, 0, previous, in);
  tanh_kernels.backward[0][0](previous, nullptr, activations_[i - 1].data(), previous, batch_ * in,
                              nullptr, false);
}

double MlpFloor::step(const float* inputs, const std::int64_t* labels, float rate) {
  forward(inputs);
  const double loss = loss_and_gradient(labels);
  for (std::size_t i = sizes_.size() - 1; i-- > 0;) {
    const std::int64_t in = sizes_[i], out = sizes_[i + 1];
    const float* x = i == 0 ? inputs : activations_[i - 1].data();
    float* g = gradients_[i].data();
    if (i > 0) propagate(i);
    for (std::int64_t k = 0; k < batch_ * out; ++k) g[k] *= -rate;
    float* bias = weights_[2 * i + 1].data();
    for (std::int64_t row = 0; row < batch_; ++row) {
      for (std::int64_t c = 0; c < out; ++c) bias[c] += g[row * out + c];
    }
    kernels::gemm(true, false, in, out, batch_, x, in, g, out, 1, weights_[2 * i].data(), out);
  }
  return loss;
}

namespace {

/// Σw² and Σ(g + λw)², in 32 sums side by side.
WENGERT_WIDEST void sums_of(const float* w, const float* g, std::int64_t n, float lambda,
                            double* sums) {
  constexpr int kSums = 32;
  float weights[kSums] = {}, all[kSums] = {};
  std::int64_t i = 0;
  for (; i + kSums <= n; i += kSums) {
    for (int k = 0; k < kSums; ++k) {
      const float total = g[i + k] + lambda * w[i + k];
      weights[k] += w[i + k] * w[i + k];
      all[k] += total * total;
    }
  }
  for (; i < n; ++i) {
    weights[0] += w[i] * w[i];
    all[0] += (g[i] + lambda * w[i]) * (g[i] + lambda * w[i]);
  }
  for (int k = 0; k < kSums; ++k) sums[0] += weights[k], sums[1] += all[k];
}

/// w ← w − rate·(g + λw).
WENGERT_WIDEST void update(float* __restrict w, const float* __restrict g, std::int64_t n,
                           float lambda, float rate) {
  for (std::int64_t i = 0; i < n; ++i) w[i] -= rate * (g[i] + lambda * w[i]);
}

}  // namespace

void MlpFloor::store_gradients(std::size_t i, const float* inputs) {
  if (weight_gradients_.empty()) weight_gradients_ = weights_;
  const std::int64_t in = sizes_[i], out = sizes_[i + 1];
  const float* x = i == 0 ? inputs : activations_[i - 1].data();
  const float* g = gradients_[i].data();
  std::vector<float>& bias = weight_gradients_[2 * i + 1];
  std::fill(bias.begin(), bias.end(), 0.0f);
  for (std::int64_t row = 0; row < batch_; ++row) {
    for (std::int64_t c = 0; c < out; ++c) bias[static_cast<std::size_t>(c)] += g[row * out + c];
  }
  kernels::gemm(true, false, in, out, batch_, x, in, g, out, 0, weight_gradients_[2 * i].data(),
                out);
}

double MlpFloor::step_adam(const float* inputs, const std::int64_t* labels, AdamFloor& adam) {
  forward(inputs);
  const double loss = loss_and_gradient(labels);
  adam.next_step();
  for (std::size_t i = sizes_.size() - 1; i-- > 0;) {
    if (i > 0) propagate(i);
    store_gradients(i, inputs);
    for (const std::size_t k : {2 * i, 2 * i + 1}) {
      adam.update(k, weights_[k].data(), weight_gradients_[k].data());
    }
  }
  return loss;
}

double MlpFloor::step_l2_clip(const float* inputs, const std::int64_t* labels, float rate,
                              float lambda, float limit) {
  forward(inputs);
  double loss = loss_and_gradient(labels);
  double sums[2] = {0, 0}, biases[2] = {0, 0};
  for (std::size_t i = sizes_.size() - 1; i-- > 0;) {
    const std::int64_t in = sizes_[i], out = sizes_[i + 1];
    if (i > 0) propagate(i);
    store_gradients(i, inputs);
    const std::vector<float>&weight = weight_gradients_[2 * i],
          &bias = weight_gradients_[2 * i + 1];
    sums_of(weights_[2 * i].data(), weight.data(), in * out, lambda, sums);
    sums_of(weights_[2 * i + 1].data(), bias.data(), out, 0, biases);
  }
  loss += lambda / 2 * sums[0];
  const double norm = std::sqrt(sums[1] + biases[1]);
  const auto scaled = static_cast<float>(rate * std::min(1.0, limit / norm));
  for (std::size_t k = 0; k < weights_.size(); ++k) {
    update(weights_[k].data(), weight_gradients_[k].data(),
           static_cast<std::int64_t>(weights_[k].size()), k % 2 == 0 ? lambda : 0, scaled);
  }
  return loss;
}

}  // namespace wengert::tools
