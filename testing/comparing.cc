#include <algorithm>
#include <cmath>
#include <cstring>

#include "wengert/graph/text.h"
#include "wengert/testing/checker.h"

namespace wengert::testing {
namespace {

std::string shape_difference(const Tensor& actual, const Tensor& expected) {
  if (actual.shape() == expected.shape()) return {};
  return "the shape is " + actual.shape().str() + ", expected " + expected.shape().str();
}

}  // namespace

double ulp_of(double x, DType dtype) {
  if (dtype == DType::kFloat32) {
    const double at = std::clamp(std::fabs(x), 0x1p-126, 0x1p127);
    return std::ldexp(0x1p-23, std::ilogb(at));
  }
  const double at = std::clamp(std::fabs(x), 0x1p-1022, 0x1p1023);
  return std::ldexp(0x1p-52, std::ilogb(at));
}

std::string difference(const Tensor& actual, const Tensor& expected, const Tolerance& tolerance) {
  std::string text = shape_difference(actual, expected);
  if (!text.empty()) return text;
  double worst = 0;
  std::int64_t worst_at = -1, wrong = 0;
  const std::vector<double> all = actual.to_vector<double>(), wanted = expected.to_vector<double>();
  for (std::int64_t i = 0; i < actual.element_count(); ++i) {
    const double a = all[static_cast<std::size_t>(i)], e = wanted[static_cast<std::size_t>(i)];
    if (a == e) {
      if (worst_at < 0) worst_at = i;
      continue;
    }
    double ulps = 0;
    if (std::isnan(a) || std::isnan(e) || std::isinf(a) || std::isinf(e)) {
      const bool same = std::isnan(a) ? std::isnan(e) : a == e;
      // A double beyond the range of float32 is an infinity there.
      const bool overflow = tolerance.dtype == DType::kFloat32 && std::isinf(a) &&
                            static_cast<double>(static_cast<float>(e)) == a;
      if (!same && !overflow) ulps = HUGE_VAL;
    } else {
      const double unit = ulp_of(std::fmax(std::fabs(e), tolerance.scale), tolerance.dtype);
      ulps = std::fabs(a - e) / unit;
    }
    if (ulps > tolerance.ulps) ++wrong;
    if (ulps > worst || worst_at < 0) worst = ulps, worst_at = i;
  }
  if (wrong == 0) return {};
  return "element " + std::to_string(worst_at) + " is " + format_number(actual.at(worst_at), 17) +
         ", expected " + format_number(expected.at(worst_at), 17) + ": error " +
         format_number(worst) + " ULPs of " + std::string(name_of(tolerance.dtype)) +
         ", tolerance " + format_number(tolerance.ulps) + "; " + std::to_string(wrong) + " of " +
         std::to_string(actual.element_count()) + " elements are off";
}

std::string bit_difference(const Tensor& actual, const Tensor& expected) {
  std::string text = shape_difference(actual, expected);
  if (!text.empty()) return text;
  if (actual.dtype() != expected.dtype()) {
    return "the dtype is " + std::string(name_of(actual.dtype())) + ", expected " +
           std::string(name_of(expected.dtype()));
  }
  const Tensor a = actual.contiguous(), e = expected.contiguous();
  const std::size_t size = size_of(a.dtype());
  if (std::memcmp(a.data(), e.data(), static_cast<std::size_t>(a.element_count()) * size) == 0) {
    return {};
  }
  for (std::int64_t i = 0; i < a.element_count(); ++i) {
    const std::size_t at = static_cast<std::size_t>(i) * size;
    if (std::memcmp(a.data() + at, e.data() + at, size) != 0) {
      return "element " + std::to_string(i) + " is " + format_number(a.at(i), 17) +
             ", expected the bits of " + format_number(e.at(i), 17);
    }
  }
  return {};
}

std::string not_zero(const Tensor& actual) {
  for (std::int64_t i = 0; i < actual.element_count(); ++i) {
    if (actual.at(i) != 0) {
      return "element " + std::to_string(i) + " is " + format_number(actual.at(i), 17) +
             ", expected exactly 0";
    }
  }
  return {};
}

double largest_magnitude(const Tensor& tensor) {
  double largest = 0;
  for (const double x : tensor.to_vector<double>()) {
    if (std::isfinite(x) && std::fabs(x) > largest) largest = std::fabs(x);
  }
  return largest;
}

Tensor cotangent_like(const Var& y, int seed) {
  const Tensor in_range = spread(y.shape(), -0.5, 0.5, seed);
  std::vector<double> values = in_range.to_vector<double>();
  for (double& v : values) v += v < 0 ? -0.5 : 0.5;
  return Tensor::from(values, y.shape()).to(y.dtype());
}

namespace {

/// Leaves blocks full of NaN in the pool that the next tensors of this size are made from.
void poison(DType dtype, const Shape& shape) {
  Tensor blocks[] = {Tensor::empty(shape, dtype), Tensor::empty(shape, dtype),
                     Tensor::empty(shape, dtype), Tensor::empty(shape, dtype)};
  for (Tensor& block : blocks) {
    const WriteGuard guard(block, "poison");
    std::memset(guard.data(), 0xff,
                static_cast<std::size_t>(block.element_count()) * size_of(dtype));
  }
}

}  // namespace

Recorded record(const Sample& sample, std::span<const Tensor> inputs,
                const std::vector<std::size_t>& arguments, int seed) {
  Recorded recorded;
  recorded.inputs.assign(inputs.begin(), inputs.end());
  for (const std::size_t i : arguments) {
    recorded.inputs[i] = variable(inputs[i]);
    recorded.arguments.push_back(recorded.inputs[i]);
  }
  for (const Var& y : sample.call(recorded.inputs)) {
    if (!is_floating(y.dtype()) || !y.requires_grad()) continue;
    recorded.outputs.push_back(y);
    recorded.cotangents.push_back(cotangent_like(y, seed++));
  }
  // What the gradients will be written into holds NaN: an element that is left out shows.
  for (const Tensor& input : inputs) poison(input.dtype(), input.shape());
  for (const Var& output : recorded.outputs) poison(output.dtype(), output.shape());
  return recorded;
}

std::vector<Tensor> in_dtype(std::span<const Tensor> inputs, DType dtype) {
  std::vector<Tensor> converted;
  for (const Tensor& input : inputs) {
    converted.push_back(is_floating(input.dtype()) ? input.to(dtype) : input);
  }
  return converted;
}

const char* name_of_layout(Layout layout) {
  switch (layout) {
    case Layout::kTransposed:
      return "transposed inputs";
    case Layout::kRotated:
      return "inputs whose first axis is the fastest";
    case Layout::kStrided:
      return "strided inputs";
    default:
      return "reversed inputs";
  }
}

Tensor with_layout(const Tensor& tensor, Layout layout) {
  const int rank = tensor.rank();
  Shape memory_shape = tensor.shape();
  if (layout == Layout::kTransposed && rank >= 2) {
    std::swap(memory_shape[rank - 1], memory_shape[rank - 2]);
  } else if (layout == Layout::kRotated && rank >= 2) {
    for (int d = 0; d < rank; ++d) memory_shape[d] = tensor.shape()[(d + 1) % rank];
  } else if (layout == Layout::kStrided) {
    for (int d = 0; d < rank; ++d) memory_shape[d] *= 2;
  }
  Tensor memory = Tensor::full(memory_shape,
                               is_floating(tensor.dtype())      ? kNan
                               : tensor.dtype() == DType::kBool ? 1
                                                                : 113,
                               tensor.dtype());
  Strides strides = dense_strides(memory_shape);
  std::int64_t offset = 0;
  if (layout == Layout::kTransposed && rank >= 2) {
    std::swap(strides[rank - 1], strides[rank - 2]);
  } else if (layout == Layout::kRotated && rank >= 2) {
    const Strides of_memory = strides;
    for (int d = 0; d < rank; ++d) strides[(d + 1) % rank] = of_memory[d];
  } else if (layout == Layout::kStrided) {
    // Every second element, from the second on.
    for (int d = 0; d < rank; ++d) {
      if (memory_shape[d] > 0) offset += strides[d];
      strides[d] *= 2;
    }
  } else if (layout == Layout::kReversed) {
    for (int d = 0; d < rank; ++d) {
      if (memory_shape[d] > 0) offset += (memory_shape[d] - 1) * strides[d];
      strides[d] = -strides[d];
    }
  }
  std::byte* first = nullptr;
  {
    WriteGuard guard(memory, "with_layout");
    first = guard.data();
    if (tensor.element_count() == 0) offset = 0;
    first += offset * static_cast<std::int64_t>(size_of(tensor.dtype()));
    copy_elements(tensor.dtype(), tensor.data(), tensor.strides(), tensor.dtype(), first, strides,
                  tensor.shape());
  }
  detail::retain(memory.storage());
  return Tensor::from_storage(memory.storage(), first, tensor.dtype(), tensor.shape(), strides);
}

}  // namespace wengert::testing
