#include "wengert/ops/kernels/lanes.h"
#include "wengert/ops/kernels/update.h"
#include "wengert/ops/kernels/update_table.h"

// Compiled once for each CPU level.
namespace wengert::kernels::WENGERT_LEVEL {
namespace {

/// Runs body(at, n) with n = Lanes::kCount, then once with the rest.
template <class T, class Body>
void sweep(std::int64_t n, Body&& body) {
  constexpr std::int64_t kWidth = Lanes<T>::kCount;
  std::int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) body(i, kWidth);
  if (i < n) body(i, n - i);
}

template <class T>
Lanes<T> get(const T* from, std::int64_t i, std::int64_t n) {
  return n == Lanes<T>::kCount ? Lanes<T>::load(from + i) : Lanes<T>::load_some(from + i, n);
}

template <class T>
void put(Lanes<T> lanes, T* to, std::int64_t i, std::int64_t n) {
  if (n == Lanes<T>::kCount) {
    lanes.store(to + i);
  } else {
    lanes.store_some(to + i, n);
  }
}

template <class T>
void sgd(void* w, const void* g, std::int64_t n, double rate) {
  auto* weights = static_cast<T*>(w);
  const auto* gradient = static_cast<const T*>(g);
  sweep<T>(n, [&](std::int64_t i, std::int64_t m) {
    put(get(weights, i, m) - get(gradient, i, m) * rate, weights, i, m);
  });
}

template <class T, bool kNesterov>
void momentum(void* w, const void* g, void* state, std::int64_t n, double rate, double beta) {
  auto* weights = static_cast<T*>(w);
  auto* velocity = static_cast<T*>(state);
  const auto* gradient = static_cast<const T*>(g);
  sweep<T>(n, [&](std::int64_t i, std::int64_t m) {
    const Lanes<T> pull = get(gradient, i, m) * rate;
    const Lanes<T> v = get(velocity, i, m) * beta + pull;
    put(v, velocity, i, m);
    const Lanes<T> move = kNesterov ? v * beta + pull : v;
    put(get(weights, i, m) - move, weights, i, m);
  });
}

template <class T>
void adam(void* w, const void* g, void* first, void* second, std::int64_t n, const AdamNumbers& k) {
  auto* weights = static_cast<T*>(w);
  auto* mean = static_cast<T*>(first);
  auto* spread = static_cast<T*>(second);
  const auto* gradient = static_cast<const T*>(g);
  sweep<T>(n, [&](std::int64_t i, std::int64_t count) {
    const Lanes<T> x = get(gradient, i, count);
    const Lanes<T> m = get(mean, i, count) * k.beta1 + x * (1 - k.beta1);
    const Lanes<T> s = get(spread, i, count) * k.beta2 + x * x * (1 - k.beta2);
    put(m, mean, i, count);
    put(s, spread, i, count);
    const Lanes<T> move = m * (k.rate * k.correction1) / (sqrt(s * k.correction2) + k.epsilon);
    put(get(weights, i, count) - move, weights, i, count);
  });
}

template <class T>
bool all_finite(const void* x, std::int64_t n) {
  const auto* values = static_cast<const T*>(x);
  // x − x is 0 for finite x and NaN otherwise; NaN survives every sum.
  Lanes<T> total = Lanes<T>::splat(T(0));
  sweep<T>(n, [&](std::int64_t i, std::int64_t m) {
    const Lanes<T> v = get(values, i, m);
    total = total + (v - v);
  });
  for (int i = 0; i < Lanes<T>::kCount; ++i) {
    if (total.v[i] != T(0)) return false;
  }
  return true;
}

}  // namespace

extern const UpdateTable update_table;
constinit const UpdateTable update_table = {
    {sgd<float>, sgd<double>},
    {momentum<float, false>, momentum<double, false>},
    {momentum<float, true>, momentum<double, true>},
    {adam<float>, adam<double>},
    {all_finite<float>, all_finite<double>},
};

}  // namespace wengert::kernels::WENGERT_LEVEL
