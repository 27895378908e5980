#pragma once

#include <cstdint>
#include <vector>

// The hand-written MLP step: the least that a training step of this network can cost.
namespace wengert::tools {

/// One step of a tanh MLP by SGD on softmax cross-entropy: preallocated buffers, GEMM, vectorized
/// tanh, and the update fused into the weight gradient's GEMM (W ← W + xᵀ·(−η·g), β = 1), so that
/// no weight gradient is ever stored. No tape, no checks.
class MlpFloor {
 public:
  /// `sizes`: 784, 300, 100, 10. `weights` holds W [in, out] and b [out] for each layer in order.
  MlpFloor(std::vector<std::int64_t> sizes, std::int64_t batch,
           std::vector<std::vector<float>> weights);
  /// Mean loss before the update.
  double step(const float* inputs, const std::int64_t* labels, float rate);
  const std::vector<std::vector<float>>& weights() const { return weights_; }

 private:
  double loss_and_gradient(const std::int64_t* labels);
  std::vector<std::int64_t> sizes_;
  std::int64_t batch_;
  std::vector<std::vector<float>> weights_;
  std::vector<std::vector<float>> activations_;
  std::vector<std::vector<float>> gradients_;
};

}  // namespace wengert::tools
