#include "tools/wengert/bench_floor.h"

#include <algorithm>
#include <cmath>

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

double MlpFloor::loss_and_gradient(const std::int64_t* labels) {
  const std::int64_t classes = sizes_.back();
  const float* logits = activations_.back().data();
  float* gradient = gradients_.back().data();
  double loss = 0;
  for (std::int64_t row = 0; row < batch_; ++row) {
    const float* x = logits + row * classes;
    float* g = gradient + row * classes;
    const float top = *std::max_element(x, x + classes);
    float total = 0;
    for (std::int64_t c = 0; c < classes; ++c) total += g[c] = std::exp(x[c] - top);
    loss += std::log(total) + top - x[labels[row]];
    const float scale = 1.0f / (total * static_cast<float>(batch_));
    for (std::int64_t c = 0; c < classes; ++c) g[c] *= scale;
    g[labels[row]] -= 1.0f / static_cast<float>(batch_);
  }
  return loss / static_cast<double>(batch_);
}

double MlpFloor::step(const float* inputs, const std::int64_t* labels, float rate) {
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
  const double loss = loss_and_gradient(labels);
  for (std::size_t i = layers; i-- > 0;) {
    const std::int64_t in = sizes_[i], out = sizes_[i + 1];
    const float* x = i == 0 ? inputs : activations_[i - 1].data();
    float* g = gradients_[i].data();
    if (i > 0) {
      float* previous = gradients_[i - 1].data();
      kernels::gemm(false, true, batch_, in, out, g, out, weights_[2 * i].data(), out, 0, previous,
                    in);
      tanh_kernels.backward[0][0](previous, nullptr, x, previous, batch_ * in, nullptr, false);
    }
    for (std::int64_t k = 0; k < batch_ * out; ++k) g[k] *= -rate;
    float* bias = weights_[2 * i + 1].data();
    for (std::int64_t row = 0; row < batch_; ++row) {
      for (std::int64_t c = 0; c < out; ++c) bias[c] += g[row * out + c];
    }
    kernels::gemm(true, false, in, out, batch_, x, in, g, out, 1, weights_[2 * i].data(), out);
  }
  return loss;
}

}  // namespace wengert::tools
