#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>
#include <ostream>
#include <source_location>
#include <string>
#include <vector>

#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

// Numbers below the normal range are numbers: with a tape and without, one at a time and in
// vectors, functions give of them what the C library gives.
namespace wengert {
namespace {

struct Function {
  const char* name;
  Var (*op)(const Var&, std::source_location);
  double (*reference)(double);
};

const Function kFunctions[] = {
    {"neg", neg, [](double x) { return -x; }},
    {"abs", abs, [](double x) { return std::fabs(x); }},
    {"sqrt", sqrt, std::sqrt},
    {"cbrt", cbrt, std::cbrt},
    {"exp", exp, std::exp},
    {"exp2", exp2, std::exp2},
    {"expm1", expm1, std::expm1},
    {"log", log, std::log},
    {"log1p", log1p, std::log1p},
    {"log2", log2, std::log2},
    {"log10", log10, std::log10},
    {"sin", sin, std::sin},
    {"cos", cos, std::cos},
    {"tan", tan, std::tan},
    {"asin", asin, std::asin},
    {"acos", acos, std::acos},
    {"atan", atan, std::atan},
    {"sinh", sinh, std::sinh},
    {"cosh", cosh, std::cosh},
    {"tanh", tanh, std::tanh},
    {"asinh", asinh, std::asinh},
    {"atanh", atanh, std::atanh},
    {"erf", erf, std::erf},
    {"erfc", erfc, std::erfc},
    {"relu", relu, [](double x) { return x > 0 ? x : 0; }},
    {"sign", sign, [](double x) { return x > 0   ? 1.0
                                         : x < 0 ? -1.0
                                                 : x; }},
    {"ceil", ceil, std::ceil},
    {"floor", floor, std::floor},
};

class Subnormal : public ::testing::TestWithParam<Function> {};

void PrintTo(const Function& function, std::ostream* out) { *out << function.name; }

/// How far f(x) may be off: 4 units in the last place, of subnormal results too.
double tolerance(double expected, DType dtype) {
  const bool single = dtype == DType::kFloat32;
  const double least =
      single ? std::numeric_limits<float>::denorm_min() : std::numeric_limits<double>::denorm_min();
  const double relative =
      single ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
  return std::fmax(4 * least, 4 * relative * std::fabs(expected));
}

TEST_P(Subnormal, IsANumberLikeOthers) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    for (const double x : {5e-324, 1e-320, 1e-310, 2e-308, 3e-308, 1e-45, 1e-40, 1.1e-38, 2e-38}) {
      for (const double at : {x, -x}) {
        if (dtype == DType::kFloat32 && static_cast<float>(x) == 0) continue;
        const double rounded =
            dtype == DType::kFloat32 ? static_cast<double>(static_cast<float>(at)) : at;
        const double expected = GetParam().reference(rounded);
        for (const std::int64_t count : {1, 19}) {
          for (const bool recorded : {false, true}) {
            std::optional<Tape> tape;
            if (recorded) tape.emplace();
            const Tensor given = Tensor::full({count}, at, dtype);
            const Var input = recorded ? variable(given) : Var(given);
            const double y =
                GetParam().op(input, std::source_location::current()).value().at(count - 1);
            const std::string what = std::string(name_of(dtype)) + " " + std::to_string(count) +
                                     " of " + std::to_string(std::log10(x));
            if (std::isfinite(expected)) {
              EXPECT_NEAR(y, expected, tolerance(expected, dtype)) << what << " at " << at;
            } else {
              EXPECT_EQ(std::isnan(y), std::isnan(expected)) << what << " at " << at;
            }
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Each, Subnormal, ::testing::ValuesIn(kFunctions),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace wengert
