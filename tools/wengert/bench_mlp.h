#pragma once

#include <cstdint>

#include "wengert/nn/linear.h"
#include "wengert/optim/optimizer.h"
#include "wengert/wengert.h"

namespace wengert::tools {

/// A training step of 784-300-100-10: tanh, SGD on softmax cross-entropy.
struct MlpWork {
  static constexpr double kRate = 0.01;
  ParameterSet parameters{7};
  optim::Sgd sgd{{.rate = kRate}};
  Tensor inputs;
  Tensor labels;

  explicit MlpWork(std::int64_t batch) {
    inputs = Tensor::empty({batch, 784}, DType::kFloat32);
    labels = Tensor::empty({batch}, DType::kInt64);
    const WriteGuard x(inputs, "bench"), y(labels, "bench");
    // Numbers like pixels, and labels that depend on them a little.
    std::uint32_t state = 1;
    for (float& value : x.span<float>()) {
      state = state * 1664525u + 1013904223u;
      value = static_cast<float>(state >> 8) * (1.0f / 16777216.0f);
    }
    for (std::size_t i = 0; i < y.span<std::int64_t>().size(); ++i) {
      y.span<std::int64_t>()[i] = static_cast<std::int64_t>(x.span<float>()[i * 784] * 10);
    }
  }

  Var logits() {
    const LinearOptions layer{.weight = nn::xavier_uniform()};
    Var h = tanh(linear(parameters, "fc1", inputs, 300, layer));
    h = tanh(linear(parameters, "fc2", h, 100, layer));
    return linear(parameters, "out", h, 10, layer);
  }

  double step() {
    Tape tape;
    const Var loss = softmax_cross_entropy(logits(), labels);
    sgd.step(parameters, backward(loss));
    return loss.scalar_value();
  }
};

}  // namespace wengert::tools
