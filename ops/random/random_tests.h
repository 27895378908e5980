#pragma once

// Private to the library.

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/ops/testing.h"

// Statistical and exact tests of random ops for the testing library. Seeds are fixed, so a test
// either always passes or always fails; the bounds are those that a right generator misses about
// once in 10⁴ seeds.
namespace wengert::testing {

/// A sample that says whether a property holds.
inline Sample holds_sample(std::string name, std::function<bool()> holds) {
  Sample sample;
  sample.name = std::move(name);
  sample.call = [holds](std::span<const Var>) {
    return std::vector<Var>{Var(Tensor::scalar(holds()))};
  };
  sample.reference = [](std::span<const Tensor>) {
    return std::vector<Tensor>{Tensor::scalar(true)};
  };
  sample.smooth = false;
  return sample;
}

inline bool all_equal(const Tensor& x, double value) {
  for (std::int64_t i = 0; i < x.element_count(); ++i) {
    if (x.at(i) != value) return false;
  }
  return true;
}

using Draw = std::function<Var(RandomStream&, const Shape&)>;

/// Mean, variance, range, correlation of neighbours, and where `cdf` is given the
/// Kolmogorov–Smirnov distance of 20,000 numbers.
inline Sample distribution_sample(const std::string& name, const Draw& draw, double mean,
                                  double variance, double (*cdf)(double), double low, double high) {
  return holds_sample(name, [=] {
    constexpr double kCount = 20000, kSigmas = 3.9;
    RandomStream stream(2024, "test");
    std::vector<double> x = draw(stream, {200, 100}).value().to_vector<double>();
    double sum = 0, squares = 0, fourth = 0, neighbours = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double d = x[i] - mean;
      if (!(x[i] >= low && x[i] <= high)) return false;
      sum += d;
      squares += d * d;
      fourth += d * d * d * d;
      if (i > 0) neighbours += d * (x[i - 1] - mean);
    }
    const double spread_of_squares = std::sqrt(fourth / kCount - variance * variance);
    if (std::fabs(sum / kCount) > kSigmas * std::sqrt(variance / kCount)) return false;
    if (std::fabs(squares / kCount - variance) >
        kSigmas * spread_of_squares / std::sqrt(kCount) + 1e-12) {
      return false;
    }
    if (std::fabs(neighbours / kCount / variance) > kSigmas / std::sqrt(kCount)) return false;
    if (cdf == nullptr) return true;
    std::sort(x.begin(), x.end());
    double distance = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double f = cdf(x[i]), at = static_cast<double>(i);
      distance = std::max({distance, (at + 1) / kCount - f, f - at / kCount});
    }
    return distance * std::sqrt(kCount) < 2.23;  // 2·exp(−2·2.23²) ≈ 1e-4
  });
}

inline bool same_elements(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.to_vector<double>() == b.to_vector<double>();
}

/// What holds of every op that draws from a stream.
inline void add_stream_samples(OpTests& tests, const Draw& draw) {
  tests.samples.push_back(holds_sample("the same draw again, from a counter", [draw] {
    RandomStream a(7, "x"), b(7, "x");
    (void)draw(a, {3});
    const Tensor second = draw(a, {4, 25}).value();
    b.set_counter(1);
    return a.counter() == 2 && same_elements(second, draw(b, {4, 25}).value());
  }));
  tests.samples.push_back(holds_sample("seeds, names and draws differ", [draw] {
    RandomStream a(7, "x"), b(8, "x"), c(7, "y");
    const Tensor first = draw(a, {200}).value(), second = draw(a, {200}).value();
    return !same_elements(first, second) && !same_elements(first, draw(b, {200}).value()) &&
           !same_elements(first, draw(c, {200}).value());
  }));
  tests.samples.push_back(holds_sample("an element does not depend on how many there are", [draw] {
    RandomStream a(7, "x"), b(7, "x");
    const auto few = draw(a, {33}).value().to_vector<double>();
    const auto many = draw(b, {50000}).value().to_vector<double>();
    return std::equal(few.begin(), few.end(), many.begin());
  }));
  tests.samples.push_back(holds_sample("the same bits at any thread count", [draw] {
    const auto at = [&](int threads) {
      kernels::set_thread_count(threads);
      RandomStream a(7, "x");
      const Tensor drawn = draw(a, {50001}).value();
      kernels::set_thread_count(0);
      return drawn;
    };
    const Tensor one = at(1);
    return same_elements(at(2), one) && same_elements(at(3), one);
  }));
  tests.samples.push_back(holds_sample("no elements", [draw] {
    RandomStream a(7, "x");
    return draw(a, {2, 0}).value().element_count() == 0;
  }));
  tests.samples.push_back(holds_sample("a rejected call takes no draw", [draw] {
    RandomStream a(7, "x");
    try {
      (void)draw(a, {-1});
    } catch (const Error&) {
      return a.counter() == 0;
    }
    return false;
  }));
}

inline std::vector<Rejected> random_rejected(const std::function<void(const Shape&, DType)>& call,
                                             bool floating) {
  std::vector<Rejected> rejected = {{"negative size",
                                     [=] {
                                       call({2, -1}, DType::kFloat32);
                                     },
                                     ErrorKind::kShape, "negative size in [2,-1]"}};
  if (floating) {
    rejected.push_back({"integers", [=] { call({2}, DType::kInt32); }, ErrorKind::kDType,
                        "the result must be float32 or float64, not int32"});
  }
  return rejected;
}

}  // namespace wengert::testing
