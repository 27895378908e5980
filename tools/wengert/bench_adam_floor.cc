#include "tools/wengert/bench_adam_floor.h"

#include <cmath>
#include <cstdint>

#include "tools/wengert/bench_floor.h"

namespace wengert::tools {
namespace {

/// w ← w − rate·m/(√v·root + ε): the corrections are in rate and root.
WENGERT_WIDEST void adam(float* __restrict w, const float* __restrict g, float* __restrict m,
                         float* __restrict v, std::int64_t n, float rate, float root) {
  for (std::int64_t i = 0; i < n; ++i) {
    m[i] = 0.9f * m[i] + 0.1f * g[i];
    v[i] = 0.999f * v[i] + 0.001f * g[i] * g[i];
    w[i] -= rate * m[i] / (std::sqrt(v[i]) * root + 1e-8f);
  }
}

}  // namespace

AdamFloor::AdamFloor(const std::vector<std::vector<float>>& weights, float rate) : rate_(rate) {
  for (const auto& each : weights) {
    averages_.push_back({std::vector<float>(each.size()), std::vector<float>(each.size())});
  }
}

void AdamFloor::next_step() {
  ++steps_;
  scale_ = static_cast<float>(rate_ / (1 - std::pow(0.9, steps_)));
  root_ = static_cast<float>(1 / std::sqrt(1 - std::pow(0.999, steps_)));
}

void AdamFloor::update(std::size_t k, float* weights, const float* gradient) {
  Averages& of = averages_[k];
  adam(weights, gradient, of.first.data(), of.second.data(),
       static_cast<std::int64_t>(of.first.size()), scale_, root_);
}

}  // namespace wengert::tools
