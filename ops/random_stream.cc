#include "wengert/ops/random_stream.h"

#include <cmath>

#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/ops/kernels/philox.h"

namespace wengert {
namespace {

std::byte* floating_memory(const WriteGuard& guard, const Tensor& out, const char* caller,
                           std::source_location where) {
  if (!is_floating(out.dtype())) {
    throw Error(ErrorKind::kDType, caller,
                "needs float32 or float64, got " + to_string(out.dtype(), out.shape()), {}, where);
  }
  if (!out.is_dense()) {
    throw Error(ErrorKind::kValue, caller,
                "needs a dense tensor, got a strided view " + to_string(out.dtype(), out.shape()),
                "fill a dense tensor and take the view of it", where);
  }
  return guard.data();
}

}  // namespace

void fill_uniform(Tensor& out, std::uint64_t seed, std::string_view name, std::uint64_t counter,
                  double low, double high, std::source_location where) {
  if (!std::isfinite(low) || !std::isfinite(high) || low > high) {
    throw Error(ErrorKind::kValue, "fill_uniform",
                "no interval [" + format_number(low) + ", " + format_number(high) + ")", {}, where);
  }
  const WriteGuard guard(out, "fill_uniform", where);
  kernels::fill_uniform(out.dtype(), floating_memory(guard, out, "fill_uniform", where),
                        out.element_count(), {RandomStream(seed, name).key(), counter}, low, high);
}

void fill_normal(Tensor& out, std::uint64_t seed, std::string_view name, std::uint64_t counter,
                 double mean, double stddev, std::source_location where) {
  if (!std::isfinite(mean) || !std::isfinite(stddev) || stddev < 0) {
    throw Error(ErrorKind::kValue, "fill_normal",
                "no normal distribution of mean " + std::to_string(mean) +
                    " and standard deviation " + std::to_string(stddev),
                {}, where);
  }
  const WriteGuard guard(out, "fill_normal", where);
  kernels::fill_normal(out.dtype(), floating_memory(guard, out, "fill_normal", where),
                       out.element_count(), {RandomStream(seed, name).key(), counter}, mean,
                       stddev);
}

}  // namespace wengert
