#pragma once

#include <vector>

#include "wengert/autodiff/gradient.h"
#include "wengert/graph/var.h"

// What the tests of gradients of a few rows share.
namespace wengert {

using Indices = std::vector<std::int64_t>;

inline Tensor indices_of(const Indices& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

inline Indices indices_in(const Gradient& gradient) {
  return gradient.indices().to_vector<std::int64_t>();
}

inline std::vector<double> numbers(const Var& x) { return x.value().to_vector<double>(); }

}  // namespace wengert
