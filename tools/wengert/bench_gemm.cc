#include <algorithm>
#include <cstdio>
#include <vector>

#include "tools/wengert/bench.h"
#include "wengert/graph/text.h"
#include "wengert/ops/kernels/gemm.h"
#include "wengert/ops/kernels/gemm_libraries.h"

// Which engine computes a product here, beside every other that is installed.
namespace wengert::tools {
namespace {

using kernels::internal::GemmEngine;
using kernels::internal::GemmProblem;

struct Shape3 {
  bool ta, tb;
  std::int64_t m, k, n;
};

const Shape3 kShapes[] = {
    {false, false, 8, 8, 8},       {false, false, 16, 16, 16},    {false, false, 32, 32, 32},
    {false, false, 64, 64, 64},    {false, false, 128, 128, 128}, {false, false, 256, 256, 256},
    {false, false, 512, 512, 512}, {false, false, 64, 784, 300},  {true, false, 784, 64, 300},
    {false, true, 64, 300, 784},   {false, false, 64, 300, 100},  {true, false, 300, 64, 100},
    {false, true, 64, 100, 300},   {false, false, 64, 100, 10},   {false, false, 16, 128, 128},
    {true, false, 128, 16, 128},   {false, true, 16, 128, 128},   {false, false, 1, 256, 256},
};

template <class T>
void run_shape(const Shape3& shape, const char* dtype, const BenchSelection& selection,
               std::vector<BenchRow>& rows) {
  const std::string name = std::string("gemm/") + dtype + "/" + std::to_string(shape.m) + "x" +
                           std::to_string(shape.k) + "x" + std::to_string(shape.n) +
                           (shape.ta ? "/At" : "") + (shape.tb ? "/Bt" : "");
  if (!selection.wants(name)) return;
  std::vector<T> a(static_cast<std::size_t>(shape.m * shape.k), T(0.5));
  std::vector<T> b(static_cast<std::size_t>(shape.k * shape.n), T(0.25));
  std::vector<T> c(static_cast<std::size_t>(shape.m * shape.n));
  const std::int64_t lda = shape.ta ? shape.m : shape.k, ldb = shape.tb ? shape.k : shape.n;
  const GemmProblem<T> problem{shape.ta, shape.tb, shape.m, shape.n, shape.k,  a.data(),
                               lda,      b.data(), ldb,     false,   c.data(), shape.n};
  const double flops = 2.0 * static_cast<double>(shape.m * shape.n * shape.k);
  const int inner = std::max(1, static_cast<int>(2e6 / flops));
  const auto chosen = [&] {
    for (int i = 0; i < inner; ++i) {
      kernels::gemm(shape.ta, shape.tb, shape.m, shape.n, shape.k, a.data(), lda, b.data(), ldb,
                    T(0), c.data(), shape.n);
    }
  };
  std::vector<std::vector<double>> times(4);
  const GemmEngine engines[] = {GemmEngine::kOwn, GemmEngine::kOpenBlas, GemmEngine::kOneDnn};
  for (int repeat = 0; repeat < 60; ++repeat) {
    times[0].push_back(nanoseconds(chosen) / inner);
    for (int e = 0; e < 3; ++e) {
      bool done = true;
      const double time = nanoseconds([&] {
        for (int i = 0; i < inner && done; ++i)
          done = kernels::internal::gemm_by(engines[e], problem);
      });
      if (done && repeat > 2) times[static_cast<std::size_t>(e) + 1].push_back(time / inner);
    }
  }
  BenchRow row = summarize(name, "µs", times[0]);
  double fastest = 0;
  const auto type = sizeof(T) == 4 ? kernels::GemmType::kFloat32 : kernels::GemmType::kFloat64;
  row.note = std::string("runs ") +
             kernels::gemm_engine_name(type, shape.ta, shape.tb, shape.m, shape.n, shape.k) + ";";
  for (int e = 0; e < 3; ++e) {
    const auto& measured = times[static_cast<std::size_t>(e) + 1];
    if (measured.empty()) continue;
    const double median = summarize("", "", measured).median;
    if (fastest == 0 || median < fastest) fastest = median;
    row.note += std::string(" ") + kernels::internal::gemm_engine_name(engines[e]) + " " +
                format_number(median / 1000, 3);
  }
  for (double* value : {&row.median, &row.p25, &row.p75}) *value /= 1000;
  row.floor = fastest / 1000;
  row.floor_ratio = row.median / row.floor;
  rows.push_back(std::move(row));
}

}  // namespace

void bench_gemm(const BenchSelection& selection, std::vector<BenchRow>& rows) {
  if (!selection.wants_group("gemm", false)) return;
  for (const Shape3& shape : kShapes) run_shape<float>(shape, "f32", selection, rows);
  for (const Shape3& shape : kShapes) run_shape<double>(shape, "f64", selection, rows);
}

}  // namespace wengert::tools
