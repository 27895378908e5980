#include "tools/wengert/bench_technique_floors.h"

#include <algorithm>
#include <cmath>

#include "tools/wengert/bench_floor.h"

// The vector library's forms of these two, which GCC takes where sums may be added in any order.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__)
extern "C" __attribute__((simd("notinbranch"))) float expf(float) noexcept;
extern "C" __attribute__((simd("notinbranch"))) float logf(float) noexcept;
#define WENGERT_FLOOR \
  __attribute__((target_clones("default", "avx2", "avx512f"), optimize("O3", "fast-math")))
#else
#define WENGERT_FLOOR WENGERT_WIDEST
#endif

namespace wengert::tools {
namespace {

/// A loop for the values of elements a and b, summed 4096 at a time, then in double, and one for
/// the slopes: the gradient is asked for later. Text, since inlined functions would bring their own
/// rules of arithmetic.
#define WENGERT_LOSS_FLOOR(name, value, slope)                                    \
  WENGERT_FLOOR double name(const float* __restrict x, const float* __restrict t, \
                            float* __restrict g, std::int64_t n) {                \
    const float share = 1.0f / static_cast<float>(n);                             \
    double total = 0;                                                             \
    for (std::int64_t first = 0; first < n; first += 4096) {                      \
      const std::int64_t end = first + 4096 < n ? first + 4096 : n;               \
      float sum = 0;                                                              \
      for (std::int64_t i = first; i < end; ++i) {                                \
        [[maybe_unused]] const float a = x[i], b = t[i];                          \
        sum += value;                                                             \
      }                                                                           \
      total += static_cast<double>(sum);                                          \
    }                                                                             \
    for (std::int64_t i = 0; i < n; ++i) {                                        \
      [[maybe_unused]] const float a = x[i], b = t[i];                            \
      g[i] = (slope)*share;                                                       \
    }                                                                             \
    return total / static_cast<double>(n);                                        \
  }

#define WENGERT_ABS(x) __builtin_fabsf(x)
#define WENGERT_SIGN(x) ((x) > 0 ? 1.0f : (x) < 0 ? -1.0f : 0.0f)
#define WENGERT_ABOVE(x) ((x) > 0 ? (x) : 0.0f)
#define WENGERT_CUT(x) ((x) < 1 ? (x) : 1.0f)

WENGERT_LOSS_FLOOR(mean_squared_error, (a - b) * (a - b), 2 * (a - b))
WENGERT_LOSS_FLOOR(half_squared_error, 0.5f * (a - b) * (a - b), a - b)
WENGERT_LOSS_FLOOR(mean_absolute_error, WENGERT_ABS(a - b), WENGERT_SIGN(a - b))
WENGERT_LOSS_FLOOR(hinge_loss, WENGERT_ABOVE(1 - b * a), 1 - b * a > 0 ? -b : 0)
WENGERT_LOSS_FLOOR(squared_hinge_loss, WENGERT_ABOVE(1 - b * a) * WENGERT_ABOVE(1 - b * a),
                   -2 * b * WENGERT_ABOVE(1 - b * a))
WENGERT_LOSS_FLOOR(huber_loss,
                   WENGERT_CUT(WENGERT_ABS(a - b)) *
                       (WENGERT_ABS(a - b) - 0.5f * WENGERT_CUT(WENGERT_ABS(a - b))),
                   WENGERT_CUT(WENGERT_ABS(a - b)) * WENGERT_SIGN(a - b))
WENGERT_LOSS_FLOOR(kl_divergence, b*(logf(b) - a), -b)
WENGERT_LOSS_FLOOR(binary_cross_entropy, -(b* logf(a) + (1 - b) * logf(1 - a)),
                   (a - b) / (a * (1 - a)))
WENGERT_LOSS_FLOOR(bce_with_logits, WENGERT_ABOVE(a) - a * b + logf(1 + expf(-WENGERT_ABS(a))),
                   1 / (1 + expf(-a)) - b)

/// Forward a pass for the largest score and one for Σ exp, which are kept; backward one.
WENGERT_FLOOR double softmax_rows(const float* __restrict x, const std::int64_t* t,
                                  float* __restrict g, std::int64_t rows, std::int64_t n,
                                  float* __restrict top, float* __restrict sum) {
  double total = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* row = x + r * n;
    float most = row[0], all = 0;
    for (std::int64_t j = 1; j < n; ++j) most = row[j] > most ? row[j] : most;
    for (std::int64_t j = 0; j < n; ++j) all += expf(row[j] - most);
    top[r] = most;
    sum[r] = all;
    total += static_cast<double>(logf(all) + most - row[t[r]]);
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    const float *row = x + r * n, most = top[r], scale = 1 / (sum[r] * static_cast<float>(rows));
    float* to = g + r * n;
    for (std::int64_t j = 0; j < n; ++j) to[j] = expf(row[j] - most) * scale;
    to[t[r]] -= 1 / static_cast<float>(rows);
  }
  return total / static_cast<double>(rows);
}

// Clones keep to plain memory: Clang leaves out what their templates would need.
double softmax_cross_entropy(const float* x, const std::int64_t* t, float* g, std::int64_t rows,
                             std::int64_t n) {
  std::vector<float> tops(static_cast<std::size_t>(rows)), sums(tops);
  return softmax_rows(x, t, g, rows, n, tops.data(), sums.data());
}

WENGERT_FLOOR double nll_loss(const float* x, const std::int64_t* t, float* g, std::int64_t rows,
                              std::int64_t n) {
  double total = 0;
  for (std::int64_t j = 0; j < rows * n; ++j) g[j] = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    total -= static_cast<double>(x[r * n + t[r]]);
    g[r * n + t[r]] = -1 / static_cast<float>(rows);
  }
  return total / static_cast<double>(rows);
}

WENGERT_FLOOR double cross_entropy(const float* x, const std::int64_t* t, float* g,
                                   std::int64_t rows, std::int64_t n) {
  double total = 0;
  for (std::int64_t j = 0; j < rows * n; ++j) g[j] = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    const float p = x[r * n + t[r]];
    total -= static_cast<double>(logf(p));
    g[r * n + t[r]] = -1 / (p * static_cast<float>(rows));
  }
  return total / static_cast<double>(rows);
}

/// The mean over rows of Σ max(0, 1 + x_j − x_t) over the other classes, divided by the classes.
WENGERT_FLOOR double multi_class_hinge_loss(const float* __restrict x, const std::int64_t* t,
                                            float* __restrict g, std::int64_t rows,
                                            std::int64_t n) {
  double total = 0;
  const float share = 1 / static_cast<float>(rows * n);
  for (std::int64_t r = 0; r < rows; ++r) {
    const float *row = x + r * n, base = 1 - row[t[r]];
    float sum = 0;
    for (std::int64_t j = 0; j < n; ++j) sum += WENGERT_ABOVE(base + row[j]);
    total += static_cast<double>(sum - 1);  // its own class adds the margin
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    const float *row = x + r * n, base = 1 - row[t[r]];
    float *to = g + r * n, above = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      const float within = base + row[j] > 0 ? 1.0f : 0.0f;
      above += within;
      to[j] = within * share;
    }
    to[t[r]] = -(above - 1) * share;
  }
  return total / static_cast<double>(rows * n);
}

WENGERT_FLOOR void channel_norm(const NormFloor& of) {
  const std::int64_t rows = of.rows, n = of.n;
  const float* __restrict x = of.x, * __restrict g = of.g;
  float* __restrict mean = of.mean, * __restrict scale = of.scale, * __restrict y = of.y, * __restrict gx = of.gx, * __restrict first = of.first, * __restrict second = of.second;
  const float share = 1 / static_cast<float>(rows);
  for (std::int64_t j = 0; j < n; ++j) mean[j] = scale[j] = first[j] = second[j] = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < n; ++j) mean[j] += x[i * n + j];
  }
  for (std::int64_t j = 0; j < n; ++j) mean[j] *= share;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      const float d = x[i * n + j] - mean[j];
      scale[j] += d * d;
    }
  }
  for (std::int64_t j = 0; j < n; ++j) scale[j] = 1 / std::sqrt(scale[j] * share + 1e-5f);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      y[i * n + j] = (x[i * n + j] - mean[j]) * scale[j] * of.gain[j] + of.bias[j];
    }
  }
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      first[j] += g[i * n + j];
      second[j] += g[i * n + j] * (x[i * n + j] - mean[j]);
    }
  }
  for (std::int64_t j = 0; j < n; ++j) {
    of.bias_gradient[j] = first[j];
    of.gain_gradient[j] = second[j] * scale[j];
    first[j] *= share;
    second[j] *= share * scale[j] * scale[j];
    scale[j] *= of.gain[j];
  }
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      gx[i * n + j] = (g[i * n + j] - first[j] - (x[i * n + j] - mean[j]) * second[j]) * scale[j];
    }
  }
}

WENGERT_FLOOR void row_norm(const NormFloor& of) {
  const std::int64_t rows = of.rows, n = of.n;
  const float share = 1 / static_cast<float>(n);
  for (std::int64_t i = 0; i < rows; ++i) {
    const float* __restrict x = of.x + i * n;
    float* __restrict y = of.y + i * n;
    float sum = 0, squares = 0;
    for (std::int64_t j = 0; j < n; ++j) sum += x[j];
    const float mean = sum * share;
    for (std::int64_t j = 0; j < n; ++j) squares += (x[j] - mean) * (x[j] - mean);
    const float scale = 1 / std::sqrt(squares * share + 1e-5f);
    for (std::int64_t j = 0; j < n; ++j) y[j] = (x[j] - mean) * scale * of.gain[j] + of.bias[j];
    of.mean[i] = mean;
    of.scale[i] = scale;
  }
  float* __restrict gains = of.gain_gradient, * __restrict biases = of.bias_gradient;
  for (std::int64_t j = 0; j < n; ++j) gains[j] = biases[j] = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    const float* __restrict x = of.x + i * n, * __restrict g = of.g + i * n;
    float* __restrict gx = of.gx + i * n;
    const float mean = of.mean[i], scale = of.scale[i];
    float sum = 0, products = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      const float hat = (x[j] - mean) * scale, h = g[j] * of.gain[j];
      sum += h;
      products += h * hat;
      gains[j] += g[j] * hat;
      biases[j] += g[j];
    }
    sum *= share;
    products *= share;
    for (std::int64_t j = 0; j < n; ++j) {
      gx[j] = (g[j] * of.gain[j] - sum - (x[j] - mean) * scale * products) * scale;
    }
  }
}

WENGERT_FLOOR void masked(const float* __restrict x, const std::uint8_t* __restrict dropped,
                          float kept, std::int64_t n, float* __restrict y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = dropped[i] != 0 ? 0 : x[i] * kept;
}

}  // namespace

const std::vector<NamedLossFloor>& loss_floors() {
  static const auto* const all = new std::vector<NamedLossFloor>{
      {"mean_squared_error", mean_squared_error},
      {"half_squared_error", half_squared_error},
      {"mean_absolute_error", mean_absolute_error},
      {"hinge_loss", hinge_loss},
      {"squared_hinge_loss", squared_hinge_loss},
      {"huber_loss", huber_loss},
      {"smooth_l1_loss", huber_loss},  // with δ = β = 1 they are one

      {"kl_divergence", kl_divergence},
      {"binary_cross_entropy", binary_cross_entropy},
      {"bce_with_logits", bce_with_logits}};
  return *all;
}

const std::vector<NamedClassLossFloor>& class_loss_floors() {
  static const auto* const all =
      new std::vector<NamedClassLossFloor>{{"softmax_cross_entropy", softmax_cross_entropy},
                                           {"nll_loss", nll_loss},
                                           {"cross_entropy", cross_entropy},
                                           {"multi_class_hinge_loss", multi_class_hinge_loss}};
  return *all;
}

void batch_norm_floor(const NormFloor& of) { channel_norm(of); }
void layer_norm_floor(const NormFloor& of) { row_norm(of); }

void dropout_floor(const float* x, const float* g, const std::uint8_t* dropped, float kept,
                   std::int64_t n, float* y, float* gx) {
  masked(x, dropped, kept, n, y);
  masked(g, dropped, kept, n, gx);
}

}  // namespace wengert::tools
