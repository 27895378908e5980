#include <algorithm>

#include "wengert/graph/error.h"
#include "wengert/nn/initializers/record.h"

// Initializers that draw nothing.
namespace wengert::nn {
namespace {

void fill_constant(const Initializer& self, std::uint64_t, std::string_view, const Fans&,
                   Tensor& out) {
  out = Tensor::full(out.shape(), self.first, out.dtype());
}

void fill_identity(const Initializer& self, std::uint64_t, std::string_view, const Fans&,
                   Tensor& out) {
  require_floating(self, out);
  if (out.rank() != 2) {
    throw Error(ErrorKind::kShape, "identity",
                "the parameter is " + to_string(out.dtype(), out.shape()), "it fills matrices");
  }
  out = Tensor::zeros(out.shape(), out.dtype());
  const std::int64_t columns = out.shape()[1], count = std::min(out.shape()[0], columns);
  const WriteGuard guard(out, "identity");
  dispatch_floating(out.dtype(), [&]<class T>(T) {
    for (std::int64_t i = 0; i < count; ++i) {
      guard.span<T>()[static_cast<std::size_t>(i * (columns + 1))] = static_cast<T>(self.first);
    }
  });
}

}  // namespace

constinit const InitializerDef constant_initializer = {
    .name = "constant",
    .doc = {.summary = "Every element the same number, of any dtype that holds it.",
            .formula = "w = value",
            .notes =
                "Biases begin with 0 by it. Weights that begin alike stay alike: units of a layer "
                "get the same gradients.",
            .source = "elementary"},
    .numbers = {{"value", "every element", -0.75}},
    .fill = fill_constant};

constinit const InitializerDef identity_initializer = {
    .name = "identity",
    .doc = {.summary = "A layer that at first gives what it gets.",
            .formula = "w = gain·I, zeros beside the square where there are more rows or columns",
            .notes = "Matrices alone. With a ReLU it is how a plain recurrent net keeps its state.",
            .source =
                "Q. V. Le, N. Jaitly, G. Hinton, A simple way to initialize recurrent networks of "
                "rectified linear units, 2015"},
    .numbers = {{"gain", "what stands on the diagonal", 2}},
    .fill = fill_identity};

}  // namespace wengert::nn
