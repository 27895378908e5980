#pragma once

#include <cmath>
#include <cstdint>

#include "wengert/graph/op.h"
#include "wengert/ops/reduction/axes.h"

// What ops along one axis share. Private to the library.
namespace wengert::ops {

/// An axis, and whether it is walked from its end.
struct ScanAttributes {
  std::int64_t axis = -1;
  bool reverse = false;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("axis", self.axis);
    v("reverse", self.reverse);
  }
};

/// A dense tensor as lines along one axis: line l has `length` elements `step` apart.
struct Lines {
  std::int64_t count = 1, length = 1, step = 1;
  Lines(const TensorView& view, int axis) {
    length = view.sizes[axis];
    if (view.count() == 0) {  // no lines to walk, however long the other axes are
      count = 0;
      return;
    }
    for (int d = 0; d < view.rank; ++d) {
      if (d == axis) continue;
      count *= view.sizes[d];
      if (d > axis) step *= view.sizes[d];
    }
  }
  std::int64_t start(std::int64_t line) const { return line / step * step * length + line % step; }
};

/// A running product. The product of finite numbers with a 0 among them is 0, also where those
/// before it have overflowed.
class RunningProduct {
 public:
  double times(double x) {
    finite_ = finite_ && std::isfinite(x);
    return product_ = x == 0 && finite_ && std::isinf(product_) ? 0 : product_ * x;
  }

 private:
  double product_ = 1;
  bool finite_ = true;
};

/// a·b, and 0 where one is 0 though the other is infinite.
Var product_zero_wins(const Var& a, const Var& b);
/// cumsum and cumprod from either end.
Var cumulative_sum(const Var& x, std::int64_t axis, bool reverse);
Var cumulative_product(const Var& x, std::int64_t axis, bool reverse);

}  // namespace wengert::ops
