#include <algorithm>
#include <cmath>
#include <vector>

#include "wengert/graph/error.h"
#include "wengert/nn/initializers/record.h"
#include "wengert/ops/kernels/svd.h"

namespace wengert::nn {
namespace {

[[noreturn]] void refuse_outcome(kernels::SvdOutcome outcome, const Tensor& out) {
  const bool missing = outcome == kernels::SvdOutcome::kNoLibrary;
  throw Error(missing ? ErrorKind::kFile : ErrorKind::kValue, "orthogonal",
              missing ? "LAPACK's dgesvd is not there"
              : outcome == kernels::SvdOutcome::kTooLarge
                  ? "LAPACK takes no matrix of the size of " + to_string(out.dtype(), out.shape())
                  : "LAPACK's dgesvd did not converge",
              missing ? "install OpenBLAS (libopenblas), or name its file in WENGERT_OPENBLAS"
                      : "use xavier_normal");
}

/// The first axis against all others, as a matrix: its left singular vectors where it is high, else
/// those of its transpose.
void fill_orthogonal(const Initializer& self, std::uint64_t seed, std::string_view name,
                     const Fans&, Tensor& out) {
  require_floating(self, out);
  if (out.rank() < 2) {
    throw Error(ErrorKind::kShape, "orthogonal",
                "the parameter is " + to_string(out.dtype(), out.shape()), "it fills weights");
  }
  if (out.element_count() == 0) return;
  const std::int64_t rows = out.shape()[0], columns = out.element_count() / rows;
  const std::int64_t longer = std::max(rows, columns), shorter = std::min(rows, columns);
  Tensor vectors = Tensor::empty({shorter, longer}, DType::kFloat64);  // one after another
  fill_normal(vectors, seed, name, 0);
  Tensor draws = Tensor::empty({shorter}, DType::kFloat64);
  fill_uniform(draws, seed, stream_beside(name, "signs"), 0, -1, 1);
  {
    const WriteGuard guard(vectors, "orthogonal");
    const auto outcome =
        kernels::left_singular_vectors(longer, shorter, guard.span<double>().data());
    if (outcome != kernels::SvdOutcome::kFound) refuse_outcome(outcome, out);
  }
  const auto from = vectors.span<double>();
  const auto length = static_cast<std::size_t>(longer), count = static_cast<std::size_t>(shorter);
  const WriteGuard guard(out, "orthogonal");
  dispatch_floating(out.dtype(), [&]<class T>(T) {
    const std::span<T> to = guard.span<T>();
    for (std::size_t k = 0; k < count; ++k) {
      const auto vector = from.subspan(k * length, length);
      // LAPACK's sign is nobody's promise: that of the largest element is, and a draw gives it.
      const auto largest = std::max_element(vector.begin(), vector.end(), [](double a, double b) {
        return std::fabs(a) < std::fabs(b);
      });
      const double sign = (*largest < 0) == (draws.span<double>()[k] < 0) ? 1 : -1;
      for (std::size_t i = 0; i < length; ++i) {
        const std::size_t at = rows >= columns ? i * count + k : k * length + i;
        to[at] = static_cast<T>(self.first * sign * vector[i]);
      }
    }
  });
}

}  // namespace

constinit const InitializerDef orthogonal_initializer = {
    .name = "orthogonal",
    .doc = {.summary = "Rows or columns that are orthogonal to each other, all of one length.",
            .formula = "w = gain·U of N(0, 1) = UΣVᵀ, or gain·Vᵀ where columns are more than rows",
            .notes = "The first axis against all others: wᵀw = gain²·I or w·wᵀ = gain²·I, to 1e-12 "
                     "in float64. "
                     "Of each vector the largest element has a drawn sign. By LAPACK in OpenBLAS "
                     "on one thread: "
                     "the bits are the same for the same processor kind of OpenBLAS (`wengert "
                     "version`), not "
                     "for others. PyTorch takes the QR decomposition of such a matrix.",
            .source =
                "A. Saxe, J. McClelland, S. Ganguli, Exact solutions to the nonlinear dynamics of "
                "learning in deep linear neural networks, 2013"},
    .numbers = {{"gain", "the length of each vector", 1.5}},
    .fill = fill_orthogonal};

}  // namespace wengert::nn
