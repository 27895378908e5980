#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "wengert/graph/error.h"
#include "wengert/nn/initializers/record.h"

namespace wengert::nn {
namespace {

std::string_view refuse_sparse(double zeros, double stddev) {
  if (zeros < 0 || zeros > 1) return "the share of zeros is outside [0, 1]";
  return stddev < 0 ? "the standard deviation is negative" : "";
}

/// Of each unit the inputs with the smallest of its draws are zero.
void fill_sparse(const Initializer& self, std::uint64_t seed, std::string_view name, const Fans&,
                 Tensor& out) {
  require_floating(self, out);
  if (out.rank() < 2) {
    throw Error(ErrorKind::kShape, "sparse",
                "the parameter is " + to_string(out.dtype(), out.shape()),
                "it fills weights, whose last axis counts units");
  }
  fill_normal(out, seed, name, 0, 0, self.second);
  if (out.element_count() == 0) return;
  const auto units = static_cast<std::size_t>(out.shape()[out.rank() - 1]);
  const std::size_t inputs = static_cast<std::size_t>(out.element_count()) / units;
  // 0.55 of 100 is 55, though the product is a little more.
  const double share = self.first * static_cast<double>(inputs);
  const auto zeros = static_cast<std::size_t>(std::ceil(share * (1 - 0x1p-50)));
  Tensor draws = Tensor::empty(out.shape(), DType::kFloat64);
  fill_uniform(draws, seed, stream_beside(name, "zeros"), 0);
  const auto keys = draws.span<double>();
  std::vector<std::size_t> order(inputs);
  const WriteGuard guard(out, "sparse");
  for (std::size_t unit = 0; unit < units; ++unit) {
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return std::pair(keys[a * units + unit], a) < std::pair(keys[b * units + unit], b);
    });
    dispatch_floating(out.dtype(), [&]<class T>(T) {
      for (std::size_t k = 0; k < zeros; ++k) guard.span<T>()[order[k] * units + unit] = 0;
    });
  }
}

}  // namespace

constinit const InitializerDef sparse_initializer = {
    .name = "sparse",
    .doc =
        {.summary = "Each unit begins with a few inputs alone.",
         .formula = "⌈zeros·n⌉ of the n inputs of each unit are 0, the others ~ N(0, stddev²)",
         .notes =
             "Units lie along the last axis, as weights are [in, out] here; PyTorch's sparse_ does "
             "the same with the columns of its [out, in].",
         .source = "J. Martens, Deep learning via Hessian-free optimization, 2010, section 5"},
    .numbers = {{"zeros", "the share of zeros, in [0, 1]", 0.25},
                {"stddev", "σ of the others, not negative", 0.5}},
    .refuse = refuse_sparse,
    .fill = fill_sparse};

}  // namespace wengert::nn
