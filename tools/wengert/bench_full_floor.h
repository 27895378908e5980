#pragma once

#include <cstdint>
#include <vector>

#include "tools/wengert/bench_adam_floor.h"

// The hand-written step with batch normalization, dropout and Adam.
namespace wengert::tools {

/// A step of linear → batch norm → ReLU → dropout, twice, then linear, by Adam on softmax
/// cross-entropy. Statistics, normalization, ReLU and mask take three passes forward and two
/// backward; masks are drawn once and kept as bytes.
class FullFloor {
 public:
  struct Norm {
    std::vector<float> gain, bias, running_mean, running_variance;
  };
  struct Mask {
    std::uint64_t key, counter;
  };
  /// `sizes`: 784, 300, 100, 10; hidden layers have no bias. `weights`: each layer's W [in, out],
  /// the last one's bias, then gain and bias of each norm.
  FullFloor(std::vector<std::int64_t> sizes, std::int64_t batch,
            std::vector<std::vector<float>> weights, float rate, float dropped);
  /// Mean loss before the update; `masks`: one for each hidden layer.
  double step(const float* inputs, const std::int64_t* labels, const std::vector<Mask>& masks);

 private:
  struct Hidden {
    std::vector<float> x, y, g;         // [batch, units]: before the norm, after, cotangent
    std::vector<std::uint8_t> dropped;  // the mask
    std::vector<float> mean, scale;     // of each unit
    std::vector<float> gain_gradient, bias_gradient, slope, offset;
    std::vector<float> running_mean, running_variance;
  };
  void forward(std::size_t i, const float* inputs, const Mask& mask);
  void backward(std::size_t i);

  std::vector<std::int64_t> sizes_;
  std::int64_t batch_;
  float dropped_;
  std::vector<std::vector<float>> weights_, weight_gradients_;
  std::vector<Hidden> hidden_;
  std::vector<float> logits_, logits_gradient_;
  AdamFloor adam_;
};

}  // namespace wengert::tools
