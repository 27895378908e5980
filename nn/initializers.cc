#include "wengert/nn/initializers.h"

#include <algorithm>
#include <cmath>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/ops/random_stream.h"

namespace wengert::nn {
namespace {

std::int64_t fan_sum(const Fans& fans) { return fans.fan_in + fans.fan_out; }
std::int64_t fan_in(const Fans& fans) { return fans.fan_in; }

void require_floating(const Initializer& self, const Tensor& out) {
  if (is_floating(out.dtype())) return;
  throw Error(ErrorKind::kDType, std::string(self.name),
              "draws float32 or float64, the parameter is " + to_string(out.dtype(), out.shape()),
              "constant fills any dtype");
}

/// The count that scales an initializer; of a tensor without elements it may be 0.
double checked(std::int64_t count, const Initializer& self, const Fans& fans, const Tensor& out) {
  require_floating(self, out);
  if (count < 1 && out.element_count() > 0) {
    throw Error(ErrorKind::kValue, std::string(self.name),
                "its scale comes from the fans, which are fan_in=" + std::to_string(fans.fan_in) +
                    ", fan_out=" + std::to_string(fans.fan_out),
                "give the Fans of the op that consumes the parameter (fans_of), or use normal or "
                "uniform");
  }
  return static_cast<double>(std::max<std::int64_t>(1, count));
}

void check_finite(const char* name, double a, double b) {
  if (!std::isfinite(a) || !std::isfinite(b)) {
    throw Error(ErrorKind::kValue, name, "its numbers must be finite");
  }
}

/// What a parameter's initial numbers are drawn from: a stream named after it.
using Fill = decltype(Initializer::fill);

constexpr Fill kFillNormal = [](const Initializer& self, std::uint64_t seed, std::string_view name,
                                const Fans&, Tensor& out) {
  require_floating(self, out);
  fill_normal(out, seed, name, 0, self.first, self.second);
};
constexpr Fill kFillUniform = [](const Initializer& self, std::uint64_t seed, std::string_view name,
                                 const Fans&, Tensor& out) {
  require_floating(self, out);
  fill_uniform(out, seed, name, 0, self.first, self.second);
};
constexpr Fill kFillConstant = [](const Initializer& self, std::uint64_t, std::string_view,
                                  const Fans&, Tensor& out) {
  out = Tensor::full(out.shape(), self.first, out.dtype());
};

/// N(0, 2/n) or U(−√(6/n), √(6/n)), which has the same variance, for a count n of the fans.
template <std::int64_t (*kCount)(const Fans&)>
void fill_scaled_normal(const Initializer& self, std::uint64_t seed, std::string_view name,
                        const Fans& fans, Tensor& out) {
  fill_normal(out, seed, name, 0, 0, std::sqrt(2 / checked(kCount(fans), self, fans, out)));
}
template <std::int64_t (*kCount)(const Fans&)>
void fill_scaled_uniform(const Initializer& self, std::uint64_t seed, std::string_view name,
                         const Fans& fans, Tensor& out) {
  const double r = std::sqrt(6 / checked(kCount(fans), self, fans, out));
  fill_uniform(out, seed, name, 0, -r, r);
}

}  // namespace

Initializer normal(double mean, double stddev, std::source_location where) {
  const detail::CallSite site(where);
  check_finite("normal", mean, stddev);
  if (stddev < 0) throw Error(ErrorKind::kValue, "normal", "the standard deviation is negative");
  return {"normal", mean, stddev, kFillNormal};
}

Initializer uniform(double low, double high, std::source_location where) {
  const detail::CallSite site(where);
  check_finite("uniform", low, high);
  if (high < low) throw Error(ErrorKind::kValue, "uniform", "high is below low");
  return {"uniform", low, high, kFillUniform};
}

Initializer constant(double value, std::source_location where) {
  const detail::CallSite site(where);
  check_finite("constant", value, 0);
  return {"constant", value, 0, kFillConstant};
}

Initializer xavier_normal() { return {"xavier_normal", 0, 0, fill_scaled_normal<fan_sum>}; }
Initializer xavier_uniform() { return {"xavier_uniform", 0, 0, fill_scaled_uniform<fan_sum>}; }
Initializer he_normal() { return {"he_normal", 0, 0, fill_scaled_normal<fan_in>}; }
Initializer he_uniform() { return {"he_uniform", 0, 0, fill_scaled_uniform<fan_in>}; }

}  // namespace wengert::nn
