// The shapes of a singular value decomposition.
//
// Shown: W = U·S·Vᵀ of a matrix with more rows than columns and of one with more columns, found by
// rotating pairs of rows until all are orthogonal: then they are S·Vᵀ, and the rotations together
// are Uᵀ. Source: G. Golub and C. Van Loan, Matrix Computations, on the one-sided Jacobi method.
// Look at: S, which has W's shape, and U and V, which are square, whatever W is.
#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "shared.h"

using namespace wengert;

Tensor one(std::int64_t rows, std::int64_t columns) {
  return eye(rows, columns, DType::kFloat64).value();
}

/// U, S and Vᵀ of a matrix with at least as many rows as columns. The pairs of rows of [W | 1]
/// are rotated, the longer one first, so that singular values fall.
std::array<Var, 3> decompose(const Tensor& w) {
  const std::int64_t m = w.size(0), n = w.size(1), width = n + m;
  std::vector<double> a = concat({w, one(m, m)}, 1).value().to_vector<double>();
  for (std::int64_t turn = 0; turn < 30 * m * m; ++turn) {
    if (turn / m % m >= turn % m) continue;
    double *upper = a.data() + turn / m % m * width, *lower = a.data() + turn % m * width;
    const auto dot = [&](const double* b, const double* c) {
      return std::inner_product(b, b + n, c, 0.0);
    };
    const double angle =
        std::atan2(2 * dot(upper, lower), dot(upper, upper) - dot(lower, lower)) / 2;
    for (std::int64_t j = 0; j < width; ++j) {
      const double was = upper[j];
      upper[j] = std::cos(angle) * was + std::sin(angle) * lower[j];
      lower[j] = std::cos(angle) * lower[j] - std::sin(angle) * was;
    }
  }
  const Var rotated = Tensor::from(a, {m, width}), rows = slice(rotated, {0, 0}, {n, n}, {0, 1});
  const Var lengths = sqrt(sum(square(rows), {1}));
  return {transpose(slice(rotated, {n}, {width}, {1})), one(m, n) * lengths,
          rows / reshape(lengths, {n, 1})};
}

double apart(const Var& a, const Var& b) { return max(abs(a - b)).item<double>(); }

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  plot::Figure figure{.title = "The shapes of a singular value decomposition",
                      .caption = "Where W has more columns than rows, Wᵀ = V·Sᵀ·Uᵀ is decomposed.",
                      .columns = 4,
                      .plot_width = 190,
                      .plot_height = 190};
  for (const auto& [m, n] : {std::pair<std::int64_t, std::int64_t>(6, 4), {3, 6}}) {
    const Var w = Tensor::from(shared::normal(m * n, 6, "W"), {m, n});
    auto [u, s, vt] = decompose((m < n ? transpose(w) : w).value().contiguous());
    if (m < n) {
      std::swap(u, vt);
      u = transpose(u), s = transpose(s), vt = transpose(vt);
    }
    std::printf(
        "%lld x %lld: W differs from U S V' by %.1e, U'U from 1 by %.1e, V'V by %.1e; values",
        static_cast<long long>(m), static_cast<long long>(n), apart(w, matmul(matmul(u, s), vt)),
        apart(matmul(transpose(u), u), one(m, m)), apart(matmul(vt, transpose(vt)), one(n, n)));
    for (std::int64_t k = 0; k < std::min(m, n); ++k) {
      std::printf(" %.4f", s.value().contiguous().at(k * n + k));
    }
    std::printf("\n");
    for (const auto& [name, of] : {std::pair("W", w), {"U", u}, {"S", s}, {"Vᵀ", vt}}) {
      const std::string title = std::string(name) + ", " + std::to_string(of.size(0)) + " × " +
                                std::to_string(of.size(1));
      figure.panels.push_back(shared::matrix_panel(title, of.value().contiguous(), 6,
                                                   *name == 'W' || *name == 'S' ? 3.5 : 1));
    }
  }
  run.save("svd_shapes", figure);
}
