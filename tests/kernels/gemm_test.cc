#include "wengert/ops/kernels/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "wengert/ops/kernels/cpu.h"
#include "wengert/ops/kernels/gemm_internal.h"
#include "wengert/ops/kernels/gemm_libraries.h"
#include "wengert/ops/kernels/thread_pool.h"

namespace wengert::kernels {
namespace {

using internal::GemmEngine;
using internal::GemmProblem;

struct Sizes {
  std::int64_t m, n, k;
};

// Odd ones around every vector width and tile height, both sides of each threshold.
constexpr Sizes kSizes[] = {
    {1, 1, 1},     {1, 1, 7},     {2, 3, 4},     {4, 4, 4},     {5, 1, 9},      {1, 5, 9},
    {3, 17, 2},    {6, 8, 16},    {7, 16, 17},   {14, 32, 33},  {13, 31, 16},   {15, 33, 5},
    {16, 16, 16},  {14, 256, 20}, {1, 129, 40},  {1, 300, 70},  {2, 50, 64},    {3, 47, 65},
    {9, 23, 130},  {17, 12, 100}, {40, 1, 77},   {40, 2, 100},  {33, 4, 64},    {29, 29, 29},
    {43, 97, 70},  {64, 10, 100}, {61, 65, 67},  {70, 100, 64}, {30, 1024, 16}, {4, 1100, 70},
    {31, 40, 513}, {1, 1, 1000},  {300, 20, 40}, {130, 257, 90}};

std::string text(bool ta, bool tb, const Sizes& s, bool accumulate) {
  return std::string(ta ? "T" : "N") + (tb ? "T" : "N") + " m=" + std::to_string(s.m) +
         " n=" + std::to_string(s.n) + " k=" + std::to_string(s.k) +
         (accumulate ? " accumulate" : "");
}

// Operands with padded rows, and C between canaries. A and B end with their last element, so that a
// read past it is one past an allocation.
template <typename T>
struct Case {
  static constexpr std::int64_t kPadding = 3;
  static constexpr std::size_t kGuard = 64;

  Case(bool ta, bool tb, const Sizes& s, bool accumulate, std::int64_t padding = kPadding)
      : size(s) {
    const std::int64_t a_rows = ta ? s.k : s.m, a_columns = ta ? s.m : s.k;
    const std::int64_t b_rows = tb ? s.n : s.k, b_columns = tb ? s.k : s.n;
    const std::int64_t lda = a_columns + padding, ldb = b_columns + padding, ldc = s.n + padding;
    a = filled((a_rows - 1) * lda + a_columns, 1);
    b = filled((b_rows - 1) * ldb + b_columns, 2);
    const std::int64_t c_size = (s.m - 1) * ldc + s.n;
    c.assign(static_cast<std::size_t>(c_size) + 2 * kGuard, kCanary);
    for (std::int64_t i = 0; i < s.m; ++i) {
      for (std::int64_t j = 0; j < s.n; ++j) {
        c[index(i, j, ldc)] =
            accumulate ? value(i * s.n + j, 3) : std::numeric_limits<T>::quiet_NaN();
      }
    }
    before = c;
    problem = {ta, tb, s.m, s.n, s.k, a.data(), lda, b.data(), ldb, accumulate, c.data() + kGuard,
               ldc};
  }

  static T value(std::int64_t i, std::uint64_t stream) {
    std::uint64_t x = (static_cast<std::uint64_t>(i) + 1) * 0x9e3779b97f4a7c15u + stream * 77u;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 32;
    return static_cast<T>(static_cast<double>(x >> 40) / (1 << 24) - 0.5);
  }

  static std::vector<T> filled(std::int64_t size, std::uint64_t stream) {
    std::vector<T> v(static_cast<std::size_t>(size));
    for (std::int64_t i = 0; i < size; ++i) v[static_cast<std::size_t>(i)] = value(i, stream);
    return v;
  }

  static std::size_t index(std::int64_t i, std::int64_t j, std::int64_t ldc) {
    return kGuard + static_cast<std::size_t>(i * ldc + j);
  }

  // Each element within (k + 2)·eps·(|C| + Σ|a·b|) of the sum in double, which is exact enough for
  // float; for double the reference's own rounding doubles the bound.
  void expect_right(const std::string& what) const {
    const auto& g = problem;
    const double eps = std::numeric_limits<T>::epsilon() / 2;
    const double factor = (static_cast<double>(g.k) + 2) * eps * (sizeof(T) == 8 ? 2 : 1);
    std::vector<T> rest = c;
    int failures = 0;
    for (std::int64_t i = 0; i < g.m; ++i) {
      for (std::int64_t j = 0; j < g.n; ++j) {
        const std::size_t at = index(i, j, g.ldc);
        double sum = g.accumulate ? static_cast<double>(before[at]) : 0.0, size_sum = std::abs(sum);
        for (std::int64_t p = 0; p < g.k; ++p) {
          const double x = g.a[g.transpose_a ? p * g.lda + i : i * g.lda + p];
          const double y = g.b[g.transpose_b ? j * g.ldb + p : p * g.ldb + j];
          sum += x * y;
          size_sum += std::abs(x * y);
        }
        rest[at] = kCanary;
        if (!(std::abs(static_cast<double>(c[at]) - sum) <= factor * size_sum) && ++failures < 3) {
          ADD_FAILURE() << what << ": C[" << i << "," << j << "] = " << c[at] << ", not " << sum;
        }
      }
    }
    for (std::size_t at = 0; at < rest.size(); ++at) {
      if (rest[at] != kCanary && ++failures < 3) {
        ADD_FAILURE() << what << ": wrote outside C at offset "
                      << static_cast<std::int64_t>(at) - static_cast<std::int64_t>(kGuard);
      }
    }
  }

  static constexpr T kCanary = static_cast<T>(-12345.5);
  Sizes size;
  std::vector<T> a, b, c, before;
  GemmProblem<T> problem;
};

template <typename T>
void gemm_of(const GemmProblem<T>& g) {
  gemm(g.transpose_a, g.transpose_b, g.m, g.n, g.k, g.a, g.lda, g.b, g.ldb,
       static_cast<T>(g.accumulate ? 1 : 0), g.c, g.ldc);
}

template <typename Function>
void for_each_case(Function function) {
  for (const Sizes& s : kSizes) {
    for (int bits = 0; bits < 8; ++bits) function((bits & 1) != 0, (bits & 2) != 0, s, bits >= 4);
  }
}

template <typename T>
class GemmTest : public testing::Test {
 protected:
  void TearDown() override { set_thread_count(0); }
};
using ElementTypes = testing::Types<float, double>;
TYPED_TEST_SUITE(GemmTest, ElementTypes);

TYPED_TEST(GemmTest, MatchesTheDefinition) {
  for_each_case([](bool ta, bool tb, const Sizes& s, bool accumulate) {
    for (std::int64_t padding : {0, 3}) {
      Case<TypeParam> c(ta, tb, s, accumulate, padding);
      gemm_of(c.problem);
      c.expect_right(text(ta, tb, s, accumulate));
    }
  });
}

TYPED_TEST(GemmTest, EveryEngineMatchesTheDefinition) {
  for (GemmEngine engine : {GemmEngine::kOwn, GemmEngine::kOpenBlas, GemmEngine::kOneDnn}) {
    for_each_case([engine](bool ta, bool tb, const Sizes& s, bool accumulate) {
      Case<TypeParam> c(ta, tb, s, accumulate);
      if (!gemm_by(engine, c.problem)) return;
      c.expect_right(std::string(gemm_engine_name(engine)) + " " + text(ta, tb, s, accumulate));
    });
  }
}

TYPED_TEST(GemmTest, EveryCpuLevelMatchesTheDefinition) {
  using Kernel = void (*)(const GemmProblem<TypeParam>&);
  std::vector<Kernel> kernels = {internal::gemm_own_baseline};
#if defined(__x86_64__)
  if (cpu_level() >= CpuLevel::kAvx2) kernels.push_back(internal::gemm_own_avx2);
  if (cpu_level() >= CpuLevel::kAvx512) kernels.push_back(internal::gemm_own_avx512);
#endif
  for (std::size_t level = 0; level < kernels.size(); ++level) {
    for_each_case([&](bool ta, bool tb, const Sizes& s, bool accumulate) {
      Case<TypeParam> c(ta, tb, s, accumulate);
      kernels[level](c.problem);
      c.expect_right("level " + std::to_string(level) + " " + text(ta, tb, s, accumulate));
    });
  }
}

TYPED_TEST(GemmTest, RowsThatCollideInTheCache) {
  for (bool ta : {false, true}) {
    const Sizes s{300, 140, 1024};
    Case<TypeParam> c(ta, false, s, true, ta ? 724 : 0);
    gemm_of(c.problem);
    c.expect_right("colliding " + text(ta, false, s, true));
  }
}

TYPED_TEST(GemmTest, ZeroSizes) {
  TypeParam c[6] = {1, 2, 3, 4, 5, 6};
  const TypeParam one = 1;
  gemm(false, false, 0, 3, 2, &one, 2, &one, 3, TypeParam{0}, c, 3);
  gemm(false, false, 2, 0, 2, &one, 2, &one, 1, TypeParam{0}, c, 3);
  gemm(false, false, 2, 3, 0, &one, 1, &one, 3, TypeParam{1}, c, 3);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(c[i], i + 1);
  gemm(false, false, 2, 2, 0, static_cast<const TypeParam*>(nullptr), 1,
       static_cast<const TypeParam*>(nullptr), 2, TypeParam{0}, c, 3);
  EXPECT_EQ(std::vector<TypeParam>(c, c + 6), (std::vector<TypeParam>{0, 0, 3, 0, 0, 6}));
}

TYPED_TEST(GemmTest, SameBitsAtAnyThreadCount) {
  const Sizes sizes[] = {{64, 300, 784},  {784, 300, 64}, {64, 784, 300}, {256, 256, 256},
                         {1, 2000, 700},  {700, 1, 2000}, {1, 1, 100000}, {400, 3, 1500},
                         {1000, 10, 333}, {5, 2100, 300}};
  for (const Sizes& s : sizes) {
    for (int bits = 0; bits < 4; ++bits) {
      const bool ta = (bits & 1) != 0, tb = (bits & 2) != 0;
      std::vector<TypeParam> expected;
      for (int threads : {1, 2, 3, 4, 8}) {
        set_thread_count(threads);
        Case<TypeParam> c(ta, tb, s, false, 0);
        gemm_of(c.problem);
        if (threads == 1) expected = c.c;
        EXPECT_EQ(std::memcmp(expected.data(), c.c.data(), expected.size() * sizeof(TypeParam)), 0)
            << text(ta, tb, s, false) << " at " << threads << " threads";
        if (threads == 3) c.expect_right(text(ta, tb, s, false));
      }
    }
  }
}

TYPED_TEST(GemmTest, BitsDoNotDependOnAlignment) {
  const Sizes s{50, 70, 90};
  Case<TypeParam> c(false, true, s, false);
  gemm_of(c.problem);
  std::vector<TypeParam> a(c.a.size() + 1), b(c.b.size() + 1);
  std::copy(c.a.begin(), c.a.end(), a.begin() + 1);
  std::copy(c.b.begin(), c.b.end(), b.begin() + 1);
  Case<TypeParam> shifted(false, true, s, false);
  shifted.problem.a = a.data() + 1;
  shifted.problem.b = b.data() + 1;
  gemm_of(shifted.problem);
  EXPECT_EQ(std::memcmp(c.c.data(), shifted.c.data(), c.c.size() * sizeof(TypeParam)), 0);
}

TYPED_TEST(GemmTest, SeveralThreadsAtOnceWithEveryEngine) {
  for (GemmEngine engine : {GemmEngine::kOwn, GemmEngine::kOpenBlas, GemmEngine::kOneDnn}) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([engine, i] {
        for (int round = 0; round < 5; ++round) {
          const Sizes s{60 + i, 70, 80 + 40 * i};
          Case<TypeParam> c(false, round % 2 == 1, s, false);
          if (!gemm_by(engine, c.problem)) return;
          c.expect_right(gemm_engine_name(engine));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

TYPED_TEST(GemmTest, NanAndInfinityPassThrough) {
  const TypeParam inf = std::numeric_limits<TypeParam>::infinity();
  const TypeParam a[2] = {0, 1}, b[2] = {inf, 2};
  TypeParam c = 0;
  gemm(false, false, 1, 1, 2, a, 2, b, 1, TypeParam{0}, &c, 1);
  EXPECT_TRUE(std::isnan(c)) << "0 times infinity is not 0";
}

TEST(GemmReportTest, NamesAnEngineAndACore) {
  const std::string name = gemm_engine_name(GemmType::kFloat32, false, false, 64, 300, 784);
  EXPECT_TRUE(name == "own" || name == "openblas" || name == "onednn") << name;
  EXPECT_FALSE(openblas_core().empty());
}

TEST(CpuTest, NamesAndDescription) {
  EXPECT_STREQ(cpu_level_name(CpuLevel::kBaseline), "baseline");
  EXPECT_STREQ(cpu_level_name(CpuLevel::kAvx2), "avx2");
  EXPECT_STREQ(cpu_level_name(CpuLevel::kAvx512), "avx512");
  EXPECT_NE(cpu_description().find(cpu_level_name(cpu_level())), std::string::npos);
}

}  // namespace
}  // namespace wengert::kernels
