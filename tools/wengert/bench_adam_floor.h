#pragma once

#include <cstddef>
#include <vector>

// The hand-written update of Adam.
namespace wengert::tools {

/// Adam's two averages beside each of some arrays; β₁ = 0.9, β₂ = 0.999, ε = 1e-8 outside the root.
class AdamFloor {
 public:
  AdamFloor(const std::vector<std::vector<float>>& weights, float rate);
  /// Starts a step: its corrections hold until the next.
  void next_step();
  /// The update of array k, one pass over its memory.
  void update(std::size_t k, float* weights, const float* gradient);

 private:
  struct Averages {
    std::vector<float> first, second;
  };
  std::vector<Averages> averages_;
  float rate_, scale_ = 1, root_ = 1;
  int steps_ = 0;
};

}  // namespace wengert::tools
