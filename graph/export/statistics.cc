#include "wengert/graph/export/statistics.h"

#include <algorithm>
#include <cmath>

#include "wengert/graph/error.h"

namespace wengert {
namespace {

template <class T>
TensorStatistics measure(std::span<const T> elements) {
  TensorStatistics result;
  result.count = static_cast<std::int64_t>(elements.size());
  for (const T element : elements) {
    const double x = std::fabs(static_cast<double>(element));
    if (!std::isfinite(x)) {
      ++result.non_finite;
    } else if (x == 0) {
      ++result.zeros;
    } else {
      result.max = std::max(result.max, x);
    }
  }
  if (result.max == 0) return result;
  // Relative to the largest element no square overflows, and those that vanish do not matter.
  double sum = 0;
  for (const T element : elements) {
    const double x = static_cast<double>(element) / result.max;
    if (std::isfinite(x)) sum += x * x;
  }
  result.l2 = result.max * std::sqrt(sum);
  return result;
}

}  // namespace

double TensorStatistics::rms() const {
  const std::int64_t finite = count - non_finite;
  return finite == 0 ? 0 : l2 / std::sqrt(static_cast<double>(finite));
}

double TensorStatistics::zero_share() const {
  return count == 0 ? 0 : static_cast<double>(zeros) / static_cast<double>(count);
}

void TensorStatistics::merge(const TensorStatistics& other) {
  count += other.count;
  zeros += other.zeros;
  non_finite += other.non_finite;
  l2 = std::hypot(l2, other.l2);
  max = std::max(max, other.max);
}

TensorStatistics statistics_of(const Tensor& tensor, std::source_location where) {
  if (!is_floating(tensor.dtype())) {
    throw Error(ErrorKind::kDType, "statistics_of",
                "needs a floating tensor, got " + to_string(tensor.dtype(), tensor.shape()),
                "convert it with to(DType::kFloat32)", where);
  }
  const Tensor dense = tensor.contiguous();
  return dispatch_floating(dense.dtype(), [&]<class T>(T) { return measure(dense.span<T>()); });
}

}  // namespace wengert
