#include <algorithm>
#include <ostream>
#include <string>
#include <type_traits>

#include "wengert/graph/tensor.h"
#include "wengert/graph/text.h"
#include "wengert/graph/var.h"

namespace wengert {
namespace {

constexpr std::int64_t kEdge = 3;       // elements shown at each end of a long dimension
constexpr std::int64_t kShownAll = 64;  // tensors up to this many elements are shown whole

/// The element `offset` elements from the first.
std::string element(const Tensor& tensor, std::int64_t offset) {
  return dispatch(tensor.dtype(), [&]<class T>(T) -> std::string {
    const T value = reinterpret_cast<const T*>(tensor.data())[offset];
    if constexpr (std::is_same_v<T, bool>) return value ? "true" : "false";
    if constexpr (std::is_floating_point_v<T>) return format_number(value, 5);
    return std::to_string(value);
  });
}

void print_level(const Tensor& tensor, int axis, std::int64_t first, std::string& out) {
  if (axis == tensor.rank()) {
    out += element(tensor, first);
    return;
  }
  const std::int64_t step = tensor.strides()[axis];
  const std::int64_t size = tensor.shape()[axis];
  const bool abbreviated = tensor.element_count() > kShownAll && size > 2 * kEdge;
  const bool innermost = axis + 1 == tensor.rank();
  out += "[";
  for (std::int64_t i = 0; i < size; ++i) {
    if (i > 0) {
      out += innermost ? ", " : ",\n" + std::string(static_cast<std::size_t>(axis) + 1, ' ');
    }
    if (abbreviated && i == kEdge) {
      out += "…";
      i = size - kEdge - 1;
      continue;
    }
    print_level(tensor, axis + 1, first + i * step, out);
  }
  out += "]";
}

}  // namespace

std::string Tensor::str() const {
  if (count_ == 0) return to_string(dtype_, shape_) + " []";  // however long the other axes are
  std::string out = to_string(dtype_, shape_) + (rank() > 1 ? "\n" : " ");
  print_level(*this, 0, 0, out);
  return out;
}

std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name_of(dtype); }
std::ostream& operator<<(std::ostream& out, const Dims& dims) { return out << dims.str(); }
std::ostream& operator<<(std::ostream& out, const Tensor& tensor) { return out << tensor.str(); }
std::ostream& operator<<(std::ostream& out, const Var& var) {
  return var.has_value() ? out << var.value() : out << "empty";
}

}  // namespace wengert
