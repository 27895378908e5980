#include "wengert/ops/kernels/gemm_libraries.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <string>
#include <vector>

#include "wengert/ops/kernels/gemm.h"
#include "wengert/ops/kernels/svd.h"

namespace wengert::kernels {
namespace internal {
namespace {

// The C interfaces, declared here because neither library's headers are needed to build.
enum CblasOrder { kCblasRowMajor = 101 };
enum CblasTranspose { kCblasNoTrans = 111, kCblasTrans = 112 };
template <typename T>
using CblasGemm = void (*)(CblasOrder, CblasTranspose, CblasTranspose, int m, int n, int k, T alpha,
                           const T* a, int lda, const T* b, int ldb, T beta, T* c, int ldc);
// LAPACK's, in Fortran: columns follow each other, the lengths of the two texts come last.
using DgeSvd = void (*)(const char* job_u, const char* job_vt, const int* m, const int* n,
                        double* a, const int* lda, double* s, double* u, const int* ldu, double* vt,
                        const int* ldvt, double* work, const int* lwork, int* info, std::size_t,
                        std::size_t);
using DnnlSgemm = int (*)(char transpose_a, char transpose_b, std::int64_t m, std::int64_t n,
                          std::int64_t k, float alpha, const float* a, std::int64_t lda,
                          const float* b, std::int64_t ldb, float beta, float* c, std::int64_t ldc);

template <typename Function>
Function symbol(void* library, const char* name) {
  return library == nullptr ? nullptr : reinterpret_cast<Function>(dlsym(library, name));
}

// The build without threads comes first: loading the other one starts threads that never work.
void* open_openblas() {
  if (const char* path = std::getenv("WENGERT_OPENBLAS"))
    return dlopen(path, RTLD_NOW | RTLD_LOCAL);
  constexpr const char* kNames[] = {"/usr/lib/x86_64-linux-gnu/openblas-serial/libopenblas.so.0",
                                    "libopenblas.so.0", "libopenblas.so"};
  for (const char* name : kNames) {
    if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
  }
  return nullptr;
}

struct OpenBlas {
  CblasGemm<float> sgemm = nullptr;
  CblasGemm<double> dgemm = nullptr;
  DgeSvd dgesvd = nullptr;
  const char* (*corename)() = nullptr;
  bool needs_lock = true;

  OpenBlas() {
    void* library = open_openblas();
    // A build with 64-bit integers would read our arguments wrongly.
    const auto config = symbol<const char* (*)()>(library, "openblas_get_config");
    if (config != nullptr && std::string(config()).find("USE64BITINT") != std::string::npos) return;
    const auto parallel = symbol<int (*)()>(library, "openblas_get_parallel");
    const auto set_threads = symbol<void (*)(int)>(library, "openblas_set_num_threads");
    if (set_threads != nullptr) set_threads(1);
    needs_lock = parallel == nullptr || parallel() == 0;
    corename = symbol<const char* (*)()>(library, "openblas_get_corename");
    sgemm = symbol<CblasGemm<float>>(library, "cblas_sgemm");
    dgemm = symbol<CblasGemm<double>>(library, "cblas_dgemm");
    dgesvd = symbol<DgeSvd>(library, "dgesvd_");
  }
};

const OpenBlas& openblas() {
  static const OpenBlas library;
  return library;
}

// The build without threads shares its packing buffers among callers of all its functions without a
// lock: four threads at once get wrong products, a few in ten thousand.
std::unique_lock<std::mutex> openblas_turn() {
  static std::mutex turn;
  return openblas().needs_lock ? std::unique_lock(turn) : std::unique_lock<std::mutex>();
}

struct OneDnn {
  DnnlSgemm sgemm = nullptr;
  int (*omp_get_max_threads)() = nullptr;
  void (*omp_set_num_threads)(int) = nullptr;

  OneDnn() {
    void* library = dlopen("libdnnl.so.2", RTLD_NOW | RTLD_LOCAL);
    sgemm = symbol<DnnlSgemm>(library, "dnnl_sgemm");
    // The OpenMP that this build of oneDNN uses, if any, is among its dependencies.
    omp_get_max_threads = symbol<int (*)()>(library, "omp_get_max_threads");
    omp_set_num_threads = symbol<void (*)(int)>(library, "omp_set_num_threads");
  }
};

const OneDnn& onednn() {
  static const OneDnn library;
  return library;
}

// OpenMP keeps the number of threads per calling thread: one here, restored for its owner.
class OneOmpThread {
 public:
  explicit OneOmpThread(const OneDnn& library) : library_(library) {
    if (library_.omp_get_max_threads == nullptr || library_.omp_set_num_threads == nullptr) return;
    before_ = library_.omp_get_max_threads();
    if (before_ != 1) library_.omp_set_num_threads(1);
  }
  ~OneOmpThread() {
    if (before_ != 1) library_.omp_set_num_threads(before_);
  }
  OneOmpThread(const OneOmpThread&) = delete;
  OneOmpThread& operator=(const OneOmpThread&) = delete;

 private:
  const OneDnn& library_;
  int before_ = 1;
};

template <typename T>
bool run_openblas(CblasGemm<T> function, const GemmProblem<T>& g) {
  constexpr std::int64_t kMax = std::numeric_limits<int>::max();
  if (function == nullptr || g.m > kMax || g.n > kMax || g.k > kMax || g.lda > kMax ||
      g.ldb > kMax || g.ldc > kMax) {
    return false;
  }
  const auto turn = openblas_turn();
  function(kCblasRowMajor, g.transpose_a ? kCblasTrans : kCblasNoTrans,
           g.transpose_b ? kCblasTrans : kCblasNoTrans, static_cast<int>(g.m),
           static_cast<int>(g.n), static_cast<int>(g.k), T{1}, g.a, static_cast<int>(g.lda), g.b,
           static_cast<int>(g.ldb), static_cast<T>(g.accumulate ? 1 : 0), g.c,
           static_cast<int>(g.ldc));
  return true;
}

}  // namespace

bool gemm_openblas(const GemmProblem<float>& problem) {
  return run_openblas(openblas().sgemm, problem);
}

bool gemm_openblas(const GemmProblem<double>& problem) {
  return run_openblas(openblas().dgemm, problem);
}

bool gemm_onednn(const GemmProblem<float>& g) {
  const OneDnn& library = onednn();
  if (library.sgemm == nullptr) return false;
  const OneOmpThread one_thread(library);
  return library.sgemm(g.transpose_a ? 'T' : 'N', g.transpose_b ? 'T' : 'N', g.m, g.n, g.k, 1.0f,
                       g.a, g.lda, g.b, g.ldb, g.accumulate ? 1.0f : 0.0f, g.c, g.ldc) == 0;
}

bool gemm_onednn(const GemmProblem<double>&) { return false; }

const char* gemm_engine_name(GemmEngine engine) {
  switch (engine) {
    case GemmEngine::kOwn:
      return "own";
    case GemmEngine::kOpenBlas:
      return "openblas";
    case GemmEngine::kOneDnn:
      return "onednn";
  }
  return "unknown";
}

}  // namespace internal

SvdOutcome left_singular_vectors(std::int64_t rows, std::int64_t columns, double* a) {
  const auto dgesvd = internal::openblas().dgesvd;
  if (dgesvd == nullptr) return SvdOutcome::kNoLibrary;
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  if (rows > kMost || columns > kMost) return SvdOutcome::kTooLarge;
  const int m = static_cast<int>(rows), n = static_cast<int>(columns), one = 1;
  std::vector<double> singular(static_cast<std::size_t>(std::min(m, n)));
  int info = 0, work_size = -1;
  double wanted = 0;
  const auto run = [&](double* work) {
    dgesvd("O", "N", &m, &n, a, &m, singular.data(), nullptr, &one, nullptr, &one, work, &work_size,
           &info, 1, 1);
  };
  const auto turn = internal::openblas_turn();
  run(&wanted);  // says how much memory it wants
  if (info != 0 || !(wanted < static_cast<double>(kMost))) return SvdOutcome::kTooLarge;
  work_size = static_cast<int>(wanted);
  std::vector<double> work(static_cast<std::size_t>(work_size));
  run(work.data());
  return info == 0 ? SvdOutcome::kFound : SvdOutcome::kNotConverged;
}

std::string openblas_core() {
  const auto corename = internal::openblas().corename;
  return corename == nullptr ? "not available" : corename();
}

}  // namespace wengert::kernels
