#pragma once

#include <cstdint>
#include <vector>

// The hand-written MLP step: the least that a training step of this network can cost.
namespace wengert::tools {

class AdamFloor;

/// A loop for the widest vectors of the CPU that it runs on. Clang vectorizes without being told.
#if defined(__clang__)
#define WENGERT_WIDEST __attribute__((target_clones("default", "avx2", "avx512f")))
#elif defined(__x86_64__)
#define WENGERT_WIDEST __attribute__((target_clones("default", "avx2", "avx512f"), optimize("O3")))
#else
#define WENGERT_WIDEST __attribute__((optimize("O3")))
#endif

/// Mean cross-entropy of [batch, classes] logits, and its gradient.
double loss_and_gradient_of(const float* logits, const std::int64_t* labels, std::int64_t batch,
                            std::int64_t classes, float* gradient);

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
  /// The same with (λ/2)Σw² over weights in the loss and all gradients scaled so that their norm is
  /// at most `limit`. Gradients are stored now, since the norm of all comes before the first
  /// update; two passes over weights and gradients do everything else: sums, then the update.
  double step_l2_clip(const float* inputs, const std::int64_t* labels, float rate, float lambda,
                      float limit);
  /// The same by Adam, which takes each gradient as soon as it is there.
  double step_adam(const float* inputs, const std::int64_t* labels, AdamFloor& adam);
  const std::vector<std::vector<float>>& weights() const { return weights_; }

 private:
  void forward(const float* inputs);
  double loss_and_gradient(const std::int64_t* labels);
  /// Stores the gradients of layer i's weight and bias.
  void store_gradients(std::size_t i, const float* inputs);
  /// Sends the gradient of layer i's output to the layer before.
  void propagate(std::size_t i);
  std::vector<std::int64_t> sizes_;
  std::int64_t batch_;
  std::vector<std::vector<float>> weights_;
  std::vector<std::vector<float>> activations_;
  std::vector<std::vector<float>> gradients_;
  std::vector<std::vector<float>> weight_gradients_;  ///< where they are stored
};

}  // namespace wengert::tools
