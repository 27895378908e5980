#pragma once

#include <cmath>
#include <functional>
#include <initializer_list>
#include <limits>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wengert/graph/error.h"
#include "wengert/graph/tensor.h"
#include "wengert/graph/var.h"

// What an op's file says for the tests: a reference in textbook form, samples, values at special
// points and rejected inputs. testing/check_op.h runs every sample through every property. This
// belongs to the testing library; the product does not contain it.

namespace wengert::testing {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// One call of an op at regular points (no kink within 1e-2, unless `smooth` is false).
struct Sample {
  std::string name;
  /// Floating inputs in float64: the checks run them in float32 too, as strided views, broadcast.
  std::vector<Tensor> inputs;
  std::function<std::vector<Var>(std::span<const Var>)> call;
  /// Textbook form in double, written apart from the kernels: float64 (or the op's own integer or
  /// bool dtype) results for these inputs.
  std::function<std::vector<Tensor>(std::span<const Tensor>)> reference;
  /// Errors are measured in ULPs of max(|reference|, scale): for sums the magnitude of the terms.
  double scale = 0;
  /// False: only values are checked here, no differences (kinks, integers).
  bool smooth = true;
  /// Step of the differences at a large sample; ops whose order of elements matters (max, sort)
  /// need one below the gaps between them. Linear ops step by 1.
  double step = 1e-3;

  /// Whether its inputs or results go beyond one task, tile or block of a kernel. What such a
  /// sample is checked by is cheap: see check_op.
  bool large() const;
};
inline constexpr std::int64_t kLargeElements = 8192;

/// A point where the value and the gradient are written down, none left to chance.
struct Special {
  std::vector<double> inputs;  ///< one number an input
  double value;
  std::vector<double> gradients;  ///< ∂y/∂input for cotangent 1, one each; empty: not checked
};

/// A call that must throw Error of this kind with exactly this message (Error::message()).
struct Rejected {
  std::string name;
  std::function<void()> call;
  ErrorKind kind;
  std::string message;
};

struct OpTests {
  std::string op;  ///< filled in from the table
  std::vector<Sample> samples;
  std::vector<Special> specials;
  std::vector<Rejected> rejected;
  double ulps32 = 4;    ///< largest error of a float32 value, in ULPs
  double ulps64 = 4;    ///< largest error of a float64 value, in ULPs
  int order = 3;        ///< derivative orders checked by differences; 0: none
  bool linear = false;  ///< (bi)linear: differences are exact, checked at 1e-12
  std::string exempt;   ///< why fewer than three rejected inputs exist, if so
  /// Why no sample is large: views that touch no element, ops made of others that have large ones.
  /// An elementwise op needs neither a sample nor a reason: its first smooth sample is tiled.
  std::string small_only = {};
};

/// Shapes that elementwise kernels cut into two whole tasks and a rest: a long last axis, a long
/// first one, whose last group of 64 rows is two vectors and a rest at every CPU level.
inline const Shape kLongVector{70001}, kLongRows{3, 24001}, kLongColumns{24041, 3};
/// Shapes of which sums cut what they add into two whole parts and a rest: all elements, the rows
/// of the last axis and their elements, the rows of the first axis and its columns.
inline const Shape kLongSum{140001}, kManyWideRows{50, 2901}, kManyColumns{2100, 131};

/// Evenly spread, irregular numbers in [low, high]: deterministic, no two alike, none at the ends.
Tensor spread(const Shape& shape, double low, double high, int seed = 1);

/// Elements of `tensor` picked irregularly, the same places for one seed.
Tensor resampled(const Tensor& tensor, const Shape& shape, int seed = 1);

/// Samples of a unary elementwise op over [low, high]: several shapes, rank 0 and empty ones too.
OpTests unary_tests(Var (*op)(const Var&, std::source_location), double (*reference)(double),
                    double low, double high);
/// Adds the small samples of such an op over another range: what lies beyond a kink.
void add_range(OpTests& tests, Var (*op)(const Var&, std::source_location),
               double (*reference)(double), double low, double high);
/// Adds a sample of values alone across kinks: whole vectors hold elements of every kind.
void add_values(OpTests& tests, Var (*op)(const Var&, std::source_location),
                double (*reference)(double), double low, double high);
/// Gives every second element of the first operands the other sign: for ops with a kink at 0.
void alternate_signs(OpTests& tests);
/// The same for two operands with every broadcast pattern.
OpTests binary_tests(Var (*op)(const Var&, const Var&, std::source_location),
                     double (*reference)(double, double), double low_a, double high_a, double low_b,
                     double high_b);
using UnaryCall = Var (*)(const Var&, std::source_location);
using BinaryCall = Var (*)(const Var&, const Var&, std::source_location);
/// Adds samples over int32, int64 and uint8, values only. The reference's result is rounded
/// towards zero and wraps around to the dtype. Second operands are never 0.
void add_integer_samples(OpTests& tests, UnaryCall op, double (*reference)(double));
void add_integer_samples(OpTests& tests, BinaryCall op, double (*reference)(double, double));
/// Samples of a comparison: every broadcast pattern, every dtype, ties, ±0, infinities and NaN.
OpTests comparison_tests(BinaryCall op, bool (*reference)(double, double));
/// What ops over floats reject: integers, bools, empty Vars; of two operands also sizes that do
/// not broadcast and mixed dtypes.
std::vector<Rejected> float_rejections(UnaryCall op);
std::vector<Rejected> float_rejections(BinaryCall op);
/// The same for ops that take integers too.
std::vector<Rejected> number_rejections(UnaryCall op);
std::vector<Rejected> number_rejections(BinaryCall op);
/// What every two-operand op rejects: sizes that do not broadcast, mixed dtypes, empty Vars.
std::vector<Rejected> broadcast_rejections(BinaryCall op);
/// Applies a scalar function to float64 tensors broadcast together; for references.
Tensor map(std::span<const Tensor> inputs, const std::function<double(std::span<const double>)>& f,
           DType result = DType::kFloat64);

/// An op of the table. Its tests are made when they are asked for: large samples take time and
/// memory, and most processes want one op's.
struct TestedOp {
  const char* name;
  OpTests (*stated)();    ///< as its file states them
  OpTests tests() const;  ///< with the op's name, and samples of one name told apart
};
/// Every op in the table, in its order.
std::span<const TestedOp> tested_ops();
/// Whether the table has an op of that name; a program's own ops are not in it.
bool is_in_table(std::string_view op);

}  // namespace wengert::testing

/// Opens the function that returns an op's tests: WENGERT_OP_TESTS(tanh) { return …; }
#define WENGERT_OP_TESTS(name) \
  namespace wengert::testing { \
  OpTests name##_tests();      \
  }                            \
  wengert::testing::OpTests wengert::testing::name##_tests()
