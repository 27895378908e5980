#include "wengert/ops/kernels/gemm.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <new>
#include <vector>

#include "wengert/graph/kept_by_thread.h"
#include "wengert/ops/kernels/cpu.h"
#include "wengert/ops/kernels/gemm_internal.h"
#include "wengert/ops/kernels/gemm_libraries.h"
#include "wengert/ops/kernels/rows.h"
#include "wengert/ops/kernels/splits.h"
#include "wengert/ops/kernels/thread_pool.h"

namespace wengert::kernels {
namespace internal {
namespace {

struct AlignedDelete {
  void operator()(void* memory) const { ::operator delete (memory, std::align_val_t{64}); }
};

// How a product is cut for threads: into rows x columns pieces, by its size alone.
struct Split {
  std::int64_t row_pieces;
  std::int64_t column_pieces;
};

constexpr std::int64_t kColumnUnit = 32;  // every level can fill its panels with this
constexpr std::int64_t kMaxPieces = 64;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

double flops(std::int64_t m, std::int64_t n, std::int64_t k) {
  return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
}

// Below 3 MFLOP a second thread gains nothing; a piece has 1.5 MFLOP at least, 2 of larger work.
Split choose_split(std::int64_t m, std::int64_t n, std::int64_t k) {
  // A matrix times a vector waits for memory: 1 MiB of matrix is worth 4 MFLOP of a product.
  const double work = flops(m, n, k) * (m == 1 ? 8 : 1);
  if (work < 3e6) return {1, 1};
  const auto wanted =
      static_cast<std::int64_t>(std::clamp(work / 2e6, 2.0, static_cast<double>(kMaxPieces)));
  const std::int64_t rows = std::min(ceil_div(m, 252), wanted);
  // A few rows read B once, in long stretches. Large pieces repay what their neighbours read too.
  const std::int64_t least_columns = m <= 4      ? 32 * kColumnUnit
                                     : rows == 1 ? kColumnUnit
                                                 : (work < 5e8 ? 4 : 16) * kColumnUnit;
  const std::int64_t columns = std::min(ceil_div(n, least_columns), ceil_div(wanted, rows));
  return {rows, columns};
}

// The part [begin, end) of `size` that piece i of `pieces` gets, in whole units.
struct Range {
  std::int64_t begin;
  std::int64_t end;
};

Range piece(std::int64_t size, std::int64_t unit, std::int64_t pieces, std::int64_t i) {
  const std::int64_t units = ceil_div(size, unit);
  const std::int64_t base = units / pieces, extra = units % pieces;
  const std::int64_t begin = i * base + std::min(i, extra);
  const std::int64_t end = begin + base + (i < extra ? 1 : 0);
  return {std::min(begin * unit, size), std::min(end * unit, size)};
}

template <typename T>
GemmProblem<T> part(const GemmProblem<T>& g, Range rows, Range columns) {
  GemmProblem<T> p = g;
  p.m = rows.end - rows.begin;
  p.n = columns.end - columns.begin;
  p.a += g.transpose_a ? rows.begin : rows.begin * g.lda;
  p.b += g.transpose_b ? columns.begin * g.ldb : columns.begin;
  p.c += rows.begin * g.ldc + columns.begin;
  return p;
}

template <typename T>
using OwnKernel = void (*)(const GemmProblem<T>&);

template <typename T>
OwnKernel<T> own_kernel() {
#if defined(__x86_64__)
  if (cpu_level() == CpuLevel::kAvx512) return gemm_own_avx512;
  if (cpu_level() == CpuLevel::kAvx2) return gemm_own_avx2;
#endif
  return gemm_own_baseline;
}

template <typename T>
void multiply_own(const GemmProblem<T>& g) {
  static const OwnKernel<T> kernel = own_kernel<T>();
  const Split split = choose_split(g.m, g.n, g.k);
  const std::int64_t pieces = split.row_pieces * split.column_pieces;
  if (pieces == 1) return kernel(g);
  // Pieces differ by a unit at most: uneven ones are a rest.
  if (split.row_pieces > 1) WENGERT_SPLIT(ProductRows, g.m, g.m / split.row_pieces);
  if (split.column_pieces > 1)
    WENGERT_SPLIT(ProductColumns, g.n,
                  ceil_div(g.n / split.column_pieces, kColumnUnit) * kColumnUnit);
  parallel_for(pieces, [&](std::int64_t i) {
    const Range rows = piece(g.m, 1, split.row_pieces, i / split.column_pieces);
    const Range columns = piece(g.n, kColumnUnit, split.column_pieces, i % split.column_pieces);
    if (rows.begin < rows.end && columns.begin < columns.end) kernel(part(g, rows, columns));
  });
}

// Scratch memory of one thread, grown at need and kept.
class Scratch {
 public:
  void* reserve(std::size_t bytes) {
    if (size_ < bytes) {
      memory_.reset();
      size_ = 0;
      memory_.reset(::operator new (bytes, std::align_val_t{64}));
      size_ = bytes;
    }
    return memory_.get();
  }

 private:
  std::unique_ptr<void, AlignedDelete> memory_;
  std::size_t size_ = 0;
};

// For the copies made here, apart from the panels of gemm_workspace().
template <typename T>
T* staging(std::int64_t elements) {
  auto& scratch = detail::kept_by_thread<Scratch, detail::Kept::kGemmStaging>();
  return static_cast<T*>(scratch.reserve(static_cast<std::size_t>(elements) * sizeof(T)));
}

template <typename T>
void copy_transposed(const T* from, std::int64_t from_stride, std::int64_t rows,
                     std::int64_t columns, T* to, std::int64_t to_stride) {
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) to[j * to_stride + i] = from[i * from_stride + j];
  }
}

// Dot products want their rows of A contiguous.
template <typename T>
void multiply_rows(GemmProblem<T> g, T* row_copy) {
  if (g.transpose_a && g.transpose_b) {
    if (g.m > 1 || g.lda > 1) {
      copy_transposed(g.a, g.lda, g.k, g.m, row_copy, g.k);
      g.a = row_copy;
    }
    g.transpose_a = false;
    g.lda = g.k;
  }
  multiply_own(g);
}

// Few columns leave most lanes of a vector idle: computes Cᵀ = op(B)ᵀ · op(A)ᵀ instead.
template <typename T>
void multiply_columns(const GemmProblem<T>& g) {
  const bool in_place = g.n == 1 && g.ldc == 1;
  T* rows = staging<T>(g.n * g.k + (in_place ? 0 : g.n * g.m));
  T* c = in_place ? g.c : rows + g.n * g.k;
  if (g.accumulate && !in_place) copy_transposed(g.c, g.ldc, g.m, g.n, c, g.m);
  multiply_rows<T>(
      {!g.transpose_b, !g.transpose_a, g.n, g.m, g.k, g.b, g.ldb, g.a, g.lda, g.accumulate, c, g.m},
      rows);
  if (!in_place) copy_transposed(c, g.m, g.n, g.m, g.c, g.ldc);
}

constexpr std::int64_t kFewColumns = 4;

template <typename T>
void by_own(const GemmProblem<T>& g) {
  if (g.n == 1 && (g.m > 1 || g.k > 1) && !(g.m == 1 && g.transpose_b)) {
    multiply_columns(g);
  } else if (g.n <= kFewColumns && g.m >= 16 && g.k >= 64) {
    multiply_columns(g);
  } else if (g.m == 1 && g.transpose_a && g.transpose_b && g.k > 1) {
    multiply_rows(g, staging<T>(g.k));
  } else {
    multiply_own(g);
  }
}

template <typename T>
bool by_engine(GemmEngine engine, const GemmProblem<T>& g) {
  if (engine == GemmEngine::kOpenBlas) return gemm_openblas(g);
  if (engine == GemmEngine::kOneDnn) return gemm_onednn(g);
  by_own(g);
  return true;
}

#include "wengert/ops/kernels/gemm_table.inc"

GemmEngine choose_engine(GemmType type, double work) {
  static const int level = static_cast<int>(cpu_level());
  const GemmRule& rule = kGemmTable[level][static_cast<int>(type)];
  return work >= rule.least_flops ? rule.engine : GemmEngine::kOwn;
}

// A library's call has its price, so its pieces are few: up to four along the longer side.
template <typename T>
bool by_library(GemmEngine engine, const GemmProblem<T>& g) {
  const double work = flops(g.m, g.n, g.k);
  const bool by_rows = g.m > g.n;
  const std::int64_t units = ceil_div(by_rows ? g.m : g.n, kColumnUnit);
  const auto wanted = static_cast<std::int64_t>(std::clamp(work / 4e6, 1.0, 4.0));
  const std::int64_t pieces = std::min(wanted, units);
  std::atomic<bool> done{true};
  parallel_for(pieces, [&](std::int64_t i) {
    const Range all_rows{0, g.m}, all_columns{0, g.n};
    const Range range = piece(by_rows ? g.m : g.n, kColumnUnit, pieces, i);
    const GemmProblem<T> p = by_rows ? part(g, range, all_columns) : part(g, all_rows, range);
    if (!by_engine(engine, p)) done = false;
  });
  // An engine is missing for all pieces or for none, and then has not touched C.
  return done;
}

// A handful of elements costs less than choosing how to multiply them.
constexpr std::int64_t kTiny = 2;

template <typename T>
void multiply_tiny(const GemmProblem<T>& g) {
  const std::int64_t a_row = g.transpose_a ? 1 : g.lda, a_step = g.transpose_a ? g.lda : 1;
  const std::int64_t b_column = g.transpose_b ? g.ldb : 1, b_step = g.transpose_b ? 1 : g.ldb;
  for (std::int64_t i = 0; i < g.m; ++i) {
    for (std::int64_t j = 0; j < g.n; ++j) {
      const T* a = g.a + i * a_row;
      const T* b = g.b + j * b_column;
      T total = a[0] * b[0];
      for (std::int64_t p = 1; p < g.k; ++p) total += a[p * a_step] * b[p * b_step];
      T& to = g.c[i * g.ldc + j];
      to = g.accumulate ? to + total : total;
    }
  }
}

// A few long sums: parts of fixed length on the pool, then the parts' sums, pairwise.
constexpr std::int64_t kFewResults = 16, kDeep = 8192, kDepthPerTask = 65536;

template <typename T>
void multiply_deep(const GemmProblem<T>& g) {
  const std::int64_t results = g.m * g.n;
  const bool plain =
      results == 1 && (!g.transpose_a || g.lda == 1) && (g.transpose_b || g.ldb == 1);
  const std::int64_t part = plain ? kDepthPerTask : 128;
  const std::int64_t parts = ceil_div(g.k, part), parts_per_task = kDepthPerTask / part;
  WENGERT_SPLIT(ProductDeepTasks, g.k, kDepthPerTask);
  std::vector<T> sums(static_cast<std::size_t>((parts + 1) * results));
  parallel_for(ceil_div(parts, parts_per_task), [&](std::int64_t task) {
    const std::int64_t end = std::min(parts, (task + 1) * parts_per_task);
    for (std::int64_t i = task * parts_per_task; i < end; ++i) {
      const std::int64_t from = i * part;
      GemmProblem<T> p = g;
      p.k = std::min(part, g.k - from);
      if (plain) {
        sums[static_cast<std::size_t>(i)] = row_kernels<T>().dot(g.a + from, g.b + from, p.k);
        continue;
      }
      p.a += g.transpose_a ? from * g.lda : from;
      p.b += g.transpose_b ? from : from * g.ldb;
      p.c = sums.data() + i * results;
      p.ldc = g.n;
      p.accumulate = false;
      by_own(p);
    }
  });
  T* total = sums.data() + parts * results;
  row_kernels<T>().sum_columns(sums.data(), parts, results, results, total, false);
  for (std::int64_t i = 0; i < results; ++i) {
    T& to = g.c[i / g.n * g.ldc + i % g.n];
    to = g.accumulate ? to + total[i] : total[i];
  }
}

template <typename T>
void run(const GemmProblem<T>& g) {
  if (g.m > 0 && g.n > 0 && g.k > 0 && g.m <= kTiny && g.n <= kTiny && g.k <= kTiny) {
    return multiply_tiny(g);
  }
  if (g.m <= 0 || g.n <= 0) return;
  if (g.k <= 0) {
    if (g.accumulate) return;
    for (std::int64_t i = 0; i < g.m; ++i) std::fill_n(g.c + i * g.ldc, g.n, T{0});
    return;
  }
  if (g.k >= kDeep && g.m * g.n <= kFewResults) return multiply_deep(g);
  constexpr GemmType kType = sizeof(T) == 4 ? GemmType::kFloat32 : GemmType::kFloat64;
  const GemmEngine engine = choose_engine(kType, flops(g.m, g.n, g.k));
  if (engine == GemmEngine::kOwn || !by_library(engine, g)) by_own(g);
}

}  // namespace

static GemmEngine gemm_engine(GemmType type, std::int64_t m, std::int64_t n, std::int64_t k) {
  return choose_engine(type, flops(m, n, k));
}

void* gemm_workspace(std::size_t bytes) {
  return detail::kept_by_thread<Scratch, detail::Kept::kGemmWorkspace>().reserve(bytes);
}

bool gemm_by(GemmEngine engine, const GemmProblem<float>& g) { return by_engine(engine, g); }
bool gemm_by(GemmEngine engine, const GemmProblem<double>& g) { return by_engine(engine, g); }

}  // namespace internal

const char* gemm_engine_name(GemmType type, bool, bool, std::int64_t m, std::int64_t n,
                             std::int64_t k) {
  return internal::gemm_engine_name(internal::gemm_engine(type, m, n, k));
}

void gemm(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k,
          const float* a, std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c,
          std::int64_t ldc) {
  internal::run<float>({transpose_a, transpose_b, m, n, k, a, lda, b, ldb, beta != 0.0f, c, ldc});
}

void gemm(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k,
          const double* a, std::int64_t lda, const double* b, std::int64_t ldb, double beta,
          double* c, std::int64_t ldc) {
  internal::run<double>({transpose_a, transpose_b, m, n, k, a, lda, b, ldb, beta != 0.0, c, ldc});
}

}  // namespace wengert::kernels
