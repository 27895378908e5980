#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <algorithm>

#include "wengert/ops/kernels/gemm.h"

namespace wengert {
namespace ops {
namespace {

/// One matrix of a batch as GEMM wants it: rows apart by `leading`, or its transpose so.
struct Matrix {
  bool transposed;
  std::int64_t leading;
};

Matrix matrix_of(const TensorView& view) {
  const std::int64_t rows = view.sizes[view.rank - 2], columns = view.sizes[view.rank - 1];
  if (view.strides == nullptr) return {false, columns > 0 ? columns : 1};
  const std::int64_t row_stride = view.strides[view.rank - 2];
  const std::int64_t column_stride = view.strides[view.rank - 1];
  if (column_stride == 1 && (row_stride >= columns || rows == 1)) {
    return {false, rows == 1 ? (columns > 0 ? columns : 1) : row_stride};
  }
  return {true, columns == 1 ? (rows > 0 ? rows : 1) : column_stride};
}

/// Walks the batch of a product: offsets of each operand's matrices, in elements.
class Batch {
 public:
  /// `views`: the operands, whose leading dimensions broadcast to those of `shape`.
  Batch(std::span<const std::int64_t> shape, std::span<const TensorView> views)
      : rank_(static_cast<int>(shape.size()) - 2), operands_(static_cast<int>(views.size())) {
    for (int d = 0; d < rank_; ++d) {
      sizes_[d] = shape[d];
      count_ *= shape[d];
    }
    for (int k = 0; k < operands_; ++k) {
      const Strides own = views[k].resolved_strides();
      for (int d = 0; d < rank_; ++d) {
        const int at = d - (rank_ - (views[k].rank - 2));
        strides_[k][d] = at < 0 || views[k].sizes[at] == 1 ? 0 : own[at];
      }
    }
  }
  std::int64_t count() const { return count_; }
  std::int64_t offset(int operand, std::int64_t index) const {
    std::int64_t result = 0;
    for (int d = rank_ - 1; d >= 0; --d) {
      result += index % sizes_[d] * strides_[operand][d];
      index /= sizes_[d];
    }
    return result;
  }
  /// Whether this is the first visit to operand's matrix: its repeated indices are all 0.
  bool first_visit(int operand, std::int64_t index) const {
    for (int d = rank_ - 1; d >= 0; --d) {
      if (strides_[operand][d] == 0 && index % sizes_[d] != 0) return false;
      index /= sizes_[d];
    }
    return true;
  }

 private:
  int rank_;
  int operands_;
  std::int64_t count_ = 1;
  std::int64_t sizes_[kMaxRank] = {};
  std::int64_t strides_[3][kMaxRank] = {};
};

/// Elements from one row of a dense matrix to the next; GEMM wants one at least.
std::int64_t leading(std::int64_t columns) { return columns > 0 ? columns : 1; }

/// c (+)= op(a)·op(b) over a batch; an operand may be read transposed. c is dense.
void multiply(const TensorView& a, bool transpose_a, const TensorView& b, bool transpose_b,
              const TensorView& c, std::span<const std::int64_t> batch_shape, bool accumulate) {
  const Matrix ma = matrix_of(a), mb = matrix_of(b);
  const std::int64_t m = c.sizes[c.rank - 2], n = c.sizes[c.rank - 1];
  const std::int64_t k = a.sizes[a.rank - (transpose_a ? 2 : 1)];
  if (batch_shape.size() == 2) {
    dispatch_floating(c.dtype, [&]<class T>(T) {
      kernels::gemm(ma.transposed != transpose_a, mb.transposed != transpose_b, m, n, k, a.as<T>(),
                    ma.leading, b.as<T>(), mb.leading, accumulate ? T(1) : T(0), c.as<T>(),
                    n > 0 ? n : 1);
    });
    return;
  }
  const TensorView views[] = {a, b, c};
  const Batch batch(batch_shape, views);
  dispatch_floating(c.dtype, [&]<class T>(T) {
    // However many products there are, nothing is computed or nothing is in them.
    const bool empty = batch.count() == 0 || k == 0;
    if (empty && !accumulate) std::fill_n(c.as<T>(), c.count(), T(0));
    if (empty || c.count() == 0) return;
    for (std::int64_t i = 0; i < batch.count(); ++i) {
      const bool add = accumulate || !batch.first_visit(2, i);
      kernels::gemm(ma.transposed != transpose_a, mb.transposed != transpose_b, m, n, k,
                    a.as<T>() + batch.offset(0, i), ma.leading, b.as<T>() + batch.offset(1, i),
                    mb.leading, add ? T(1) : T(0), c.as<T>() + batch.offset(2, i), n > 0 ? n : 1);
    }
  });
}

[[noreturn, gnu::noinline]] void fail_inner_sizes(InferContext& call) {
  const int rank_a = call.rank(0), rank_b = call.rank(1);  // 1: a vector
  const std::int64_t m = rank_a == 1 ? -1 : call.size(0, rank_a - 2), k = call.size(0, rank_a - 1);
  const std::int64_t k2 = call.size(1, rank_b == 1 ? 0 : rank_b - 2);
  const std::int64_t n = rank_b == 1 ? -1 : call.size(1, rank_b - 1);
  std::string fix = rank_b == 1 ? "the last size of a must equal the length of b"
                                : "the last size of a must equal the second last of b";
  if (k == n)
    fix = "did you mean transpose(b)?";
  else if (m == k2)
    fix = "did you mean transpose(a)?";
  call.fail(ErrorKind::kShape,
            "inner sizes differ: a is " + call.describe(0) + ", b is " + call.describe(1) + " (" +
                std::to_string(k) + " vs " + std::to_string(k2) + ")",
            fix);
}

/// Leading axes that broadcast, and the two of the product.
[[gnu::noinline]] void infer_batched(InferContext& call, std::int64_t m, std::int64_t n) {
  Shape shape = call.rank(0) >= call.rank(1) ? call.shape(0) : call.shape(1);
  const Shape other = call.rank(0) >= call.rank(1) ? call.shape(1) : call.shape(0);
  const int lead = shape.size() - other.size();
  for (int d = 0; d + 2 < other.size(); ++d) {
    std::int64_t& size = shape[lead + d];
    if (size == 1) size = other[d];
    if (other[d] != 1 && other[d] != size) {
      call.fail(ErrorKind::kShape, "batch sizes do not broadcast: a is " + call.describe(0) +
                                       ", b is " + call.describe(1));
    }
  }
  shape[shape.size() - 2] = m;
  shape[shape.size() - 1] = n;
  call.output(call.dtype(0), shape);
}

/// With a vector among the operands the call is made of one with matrices.
void infer_vectors(InferContext& call) {
  const std::int64_t k = call.size(0, call.rank(0) - 1);
  const std::int64_t k2 = call.size(1, call.rank(1) == 1 ? 0 : call.rank(1) - 2);
  if (k != k2) fail_inner_sizes(call);
  call.want_expansion();
}

void infer_matmul(InferContext& call) {
  call.require_same_dtype(0, 1);
  call.require_floating(0);
  if (call.rank(0) < 2 || call.rank(1) < 2) [[unlikely]] {
    if (call.rank(0) > 0 && call.rank(1) > 0) return infer_vectors(call);
    call.fail(ErrorKind::kShape,
              "needs matrices: a is " + call.describe(0) + ", b is " + call.describe(1),
              "a scalar times a tensor is mul");
  }
  const int rank_a = call.rank(0), rank_b = call.rank(1);  // 1: a vector
  const std::int64_t m = rank_a == 1 ? -1 : call.size(0, rank_a - 2), k = call.size(0, rank_a - 1);
  const std::int64_t k2 = call.size(1, rank_b == 1 ? 0 : rank_b - 2);
  const std::int64_t n = rank_b == 1 ? -1 : call.size(1, rank_b - 1);
  if (k != k2) fail_inner_sizes(call);
  if (call.rank(0) > 2 || call.rank(1) > 2) return infer_batched(call, m, n);
  call.output(call.dtype(0), {m, n});
}

/// Out of line, as is the same of backward: views whose address is taken lie in memory, and most
/// products are of two matrices without strides.
[[gnu::noinline]] void evaluate_batched(EvalContext& call) {
  const TensorView out = call.output();
  multiply(call.input(0), false, call.input(1), false, out, out.shape(), false);
}

void evaluate_matmul(EvalContext& call) {
  const TensorView a = call.input(0), b = call.input(1), out = call.output();
  if (a.rank != 2 || b.rank != 2 || a.strides != nullptr || b.strides != nullptr) {
    return evaluate_batched(call);
  }
  const std::int64_t m = a.sizes[0], k = a.sizes[1], n = b.sizes[1];
  dispatch_floating(a.dtype, [&]<class T>(T) {
    kernels::gemm(false, false, m, n, k, a.as<T>(), leading(k), b.as<T>(), leading(n), T(0),
                  out.as<T>(), leading(n));
  });
}

// A product of [1,1] matrices: that of two numbers, without mul's rule for cotangents of 0, which
// GEMM does not have either.
template <class T>
T element(const void* at) {
  return *static_cast<const T*>(at);
}

template <class T>
void multiply_one(const void* const* in, void* out, std::int64_t, const void*) {
  *static_cast<T*>(out) = element<T>(in[0]) * element<T>(in[1]);
}

template <class T>
PartialProducts<T> backward_one(T g, const void* const* in, const void*, unsigned wanted,
                                const void*) {
  PartialProducts<T> products{};
  if ((wanted & 1) != 0) products.of[0] = g * element<T>(in[1]);
  if ((wanted & 2) != 0) products.of[1] = element<T>(in[0]) * g;
  return products;
}

constexpr ElementwiseKernels kOneProduct = {
    .forward = {multiply_one<float>, multiply_one<double>},
    .backward_one_f32 = backward_one<float>,
    .backward_one_f64 = backward_one<double>,
};
constexpr ElementwiseOp one_product = {.kernels = &kOneProduct};

void matmul_vjp(VjpContext& c) {
  if (c.needs(0)) c.set(0, matmul(c.cotangent(), transpose(c.input(1))));
  if (c.needs(1)) c.set(1, matmul(transpose(c.input(0)), c.cotangent()));
}

[[gnu::noinline]] void backward_batched(BackwardContext& c) {
  const TensorView g = c.cotangent();
  if (c.needs(0)) {
    const auto to = c.gradient(0);
    multiply(g, false, c.input(1), true, to.view, g.shape(), to.accumulate);
  }
  if (c.needs(1)) {
    const auto to = c.gradient(1);
    multiply(c.input(0), true, g, false, to.view, g.shape(), to.accumulate);
  }
}

/// Both products of matrices without strides: ga (+)= g·bᵀ, gb (+)= aᵀ·g.
template <class T>
void backward_plain(BackwardContext& c) {
  const TensorView g = c.cotangent();
  const std::int64_t m = g.sizes[0], n = g.sizes[1];
  if (c.needs(0)) {
    const auto to = c.gradient(0);
    const std::int64_t k = to.view.sizes[1];
    kernels::gemm(false, true, m, k, n, g.as<T>(), leading(n), c.input(1).as<T>(), leading(n),
                  to.accumulate ? T(1) : T(0), to.view.as<T>(), leading(k));
  }
  if (c.needs(1)) {
    const auto to = c.gradient(1);
    const std::int64_t k = to.view.sizes[0];
    kernels::gemm(true, false, k, n, m, c.input(0).as<T>(), leading(k), g.as<T>(), leading(n),
                  to.accumulate ? T(1) : T(0), to.view.as<T>(), leading(n));
  }
}

void backward_matmul(BackwardContext& c) {
  const TensorView g = c.cotangent();
  if (g.rank != 2 || (c.needs(0) && c.input(1).strides != nullptr) ||
      (c.needs(1) && c.input(0).strides != nullptr)) {
    return backward_batched(c);
  }
  dispatch_floating(g.dtype, [&]<class T>(T) { backward_plain<T>(c); });
}

double matmul_flops(const OpCall& call) {
  return 2 * static_cast<double>(call.size(0, call.rank(0) - 1));
}

Fans matmul_fans(const OpCall& call, int) {
  return {call.size(1, call.rank(1) - 2), call.size(1, call.rank(1) - 1)};
}

/// A vector on the left is a row, one on the right a column; that axis is dropped again.
Var expand_matmul(const ExpandContext& call) {
  const std::source_location where = call.where();
  const Var &a = call.operand(0), &b = call.operand(1);
  if (call.rank(0) == 1) {
    return squeeze(matmul(expand_dims(a, 0, where), b, where), {call.rank(1) == 1 ? -1 : -2},
                   where);
  }
  return squeeze(matmul(a, expand_dims(b, 1, where), where), {-1}, where);
}

}  // namespace

constinit const OpDef matmul_op = {
    .name = "matmul",
    .doc = {.summary = "Matrix product, batched and broadcast over leading axes.",
            .formula = "y[…, i, j] = Σₖ a[…, i, k]·b[…, k, j]",
            .arguments =
                "a: […, m, k]; b: […, k, n]; float32 or float64 of one dtype; leading axes "
                "broadcast. A vector a is a row, a vector b a column, and that axis is "
                "dropped from the result. Transposed operands are read in place",
            .gradient = "∂a: g·bᵀ, ∂b: aᵀ·g, summed over broadcast axes; where g is 0 beside an "
                        "infinite or NaN operand the gradient is NaN, not 0 as elsewhere",
            .source = "elementary; M. Giles, Collected matrix derivative results, 2008"},
    .min_inputs = 2,
    .max_inputs = 2,
    .differentiable = 3,
    .reads = {reads_input(1), reads_input(0)},
    .linear = {0b01, 0b10},
    .layouts = {Layout::kMatrix, Layout::kMatrix},
    .infer = infer_matmul,
    .evaluate = evaluate_matmul,
    .vjp = matmul_vjp,
    .backward = backward_matmul,
    .single_element = &one_product,
    .flops = matmul_flops,
    .fans = matmul_fans,
    .expand = expand_matmul,
};

}  // namespace ops

Var matmul(const Var& a, const Var& b, std::source_location where) {
  return apply(ops::matmul_op, a, b, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
namespace {

using wengert::Shape;
using wengert::Tensor;

/// The definition, one sum per element, over broadcast batches of 2-D matrices.
Tensor matmul_reference(const Tensor& a, const Tensor& b) {
  const std::int64_t m = a.size(-2), k = a.size(-1), n = b.size(-1);
  Shape batch = a.rank() >= b.rank() ? a.shape() : b.shape();
  const int lead = batch.size() - 2;
  const auto leading = [&](const Tensor& t, int d) {
    const int at = d - (lead - (t.rank() - 2));
    return at < 0 ? std::int64_t{1} : t.shape()[at];
  };
  for (int d = 0; d < lead; ++d) batch[d] = leading(a, d) == 1 ? leading(b, d) : leading(a, d);
  batch[lead] = m;
  batch[lead + 1] = n;
  std::vector<double> out;
  const std::vector<double> of_a = a.to_vector<double>(), of_b = b.to_vector<double>();
  const std::int64_t matrices = m * n == 0 ? 0 : wengert::element_count(batch) / (m * n);
  for (std::int64_t i = 0; i < matrices; ++i) {
    const auto start = [&](const Tensor& t, std::int64_t size) {
      std::int64_t rest = i, position = 0, step = size;
      for (int d = lead - 1; d >= 0; --d) {
        const std::int64_t index = rest % batch[d];
        rest /= batch[d];
        if (leading(t, d) != 1) position += index * step;
        step *= leading(t, d);
      }
      return position;
    };
    const std::int64_t at_a = start(a, m * k), at_b = start(b, k * n);
    for (std::int64_t r = 0; r < m; ++r) {
      for (std::int64_t c = 0; c < n; ++c) {
        double total = 0;
        for (std::int64_t j = 0; j < k; ++j) {
          total += of_a[static_cast<std::size_t>(at_a + r * k + j)] *
                   of_b[static_cast<std::size_t>(at_b + j * n + c)];
        }
        out.push_back(total);
      }
    }
  }
  return Tensor::from(out, batch);
}

}  // namespace

WENGERT_OP_TESTS(matmul) {
  OpTests tests;
  const std::pair<Shape, Shape> patterns[] = {{{2, 3}, {3, 4}},
                                              {{1, 1}, {1, 1}},
                                              {{17, 33}, {33, 9}},
                                              {{0, 3}, {3, 2}},
                                              {{2, 0}, {0, 3}},
                                              {{3, 4}, {4, 0}},
                                              {{2, 3, 4}, {2, 4, 5}},
                                              {{2, 3, 4}, {4, 5}},
                                              {{3, 4}, {5, 4, 2}},
                                              {{2, 1, 3, 4}, {3, 4, 2}},
                                              {{2, 3}, {0, 3, 4}},
                                              {{0, 2, 3}, {1, 3, 4}},
                                              {{2001, 9}, {9, 60}},
                                              {{5, 1101}, {1101, 70}},
                                              {{70, 64}, {64, 1100}},
                                              {{530, 300}, {300, 129}},
                                              {{70, 13, 11}, {70, 11, 9}},
                                              {{1, 70}, {70, 205}}};
  int seed = 0;
  for (const auto& [a, b] : patterns) {
    Sample sample;
    sample.name = to_string(a) + " times " + to_string(b);
    sample.inputs = {spread(a, -1, 1, ++seed), spread(b, -1, 1, seed + 50)};
    sample.call = [](std::span<const Var> x) { return std::vector<Var>{matmul(x[0], x[1])}; };
    sample.reference = [](std::span<const Tensor> x) {
      return std::vector<Tensor>{matmul_reference(x[0], x[1])};
    };
    // Errors of many terms add up like the root of their number.
    if (sample.large()) sample.scale = std::sqrt(static_cast<double>(a[a.size() - 1]));
    sample.scale = std::fmax(1, sample.scale);
    tests.samples.push_back(std::move(sample));
  }
  tests.ulps32 = tests.ulps64 = 40;
  tests.order = 2;
  tests.linear = true;
  tests.rejected = {
      {"inner sizes",
       [] {
         return matmul(Tensor::zeros({2, 3}, DType::kFloat32),
                       Tensor::zeros({4, 5}, DType::kFloat32));
       },
       ErrorKind::kShape, "inner sizes differ: a is f32[2,3], b is f32[4,5] (3 vs 4)"},
      {"dtypes",
       [] {
         return matmul(Tensor::zeros({2, 3}, DType::kFloat32),
                       Tensor::zeros({3, 5}, DType::kFloat64));
       },
       ErrorKind::kDType, "mixed dtypes: f32[2,3] and f64[3,5]"},
      {"scalar",
       [] {
         return matmul(Tensor::zeros({}, DType::kFloat32), Tensor::zeros({3, 5}, DType::kFloat32));
       },
       ErrorKind::kShape, "needs matrices: a is f32[], b is f32[3,5]"},
      {"batch",
       [] {
         return matmul(Tensor::zeros({2, 2, 3}, DType::kFloat32),
                       Tensor::zeros({3, 3, 5}, DType::kFloat32));
       },
       ErrorKind::kShape, "batch sizes do not broadcast: a is f32[2,2,3], b is f32[3,3,5]"}};
  return tests;
}
#endif
