#pragma once

#include <string>
#include <vector>

#include "wengert/graph/op.h"
#include "wengert/ops/testing.h"

namespace wengert::testing {

/// A float32 gradient may be off by this factor times OpTests::ulps32, in ULPs of the largest of 1
/// and the elements of the float64 gradient: a partial derivative is a formula of its own, with
/// roundings of its own, and cancels where the value does not.
inline constexpr double kGradientUlpsFactor = 8;

struct CheckOptions {
  int order = 3;            ///< no derivative beyond this order is checked by differences
  std::string sample = {};  ///< only the sample of this name; empty: everything
  bool verbose = false;     ///< a line per sample on standard error
  /// Large samples are called and differentiated in every layout, but not compared with anything:
  /// where a sanitizer watches what kernels read and write, their numbers are another build's.
  bool memory_alone = false;
};

struct CheckReport {
  int checks = 0;    ///< properties looked at, one per sample, dtype, layout, subset and order
  int failures = 0;  ///< how many of them did not hold
  double worst_error = 0;             ///< of all gradchecks: largest |analytic − numeric|
  double worst_ratio = 0;             ///< of all gradchecks: largest error over its tolerance
  std::vector<std::string> messages;  ///< one per failure, with the command that reproduces it

  bool passed() const { return failures == 0; }
  /// The messages, one a line, and the counts.
  std::string str() const;
};

/// Runs one op's samples, special points and rejected inputs through every property that an op
/// must have:
/// - the value is the reference's within the stated ULPs, in float64 and (inputs rounded first) in
///   float32; results of other dtypes are equal;
/// - derivatives to order min(options.order, tests.order) equal differences, for every subset of
///   the differentiable arguments;
/// - forward mode agrees with reverse mode, in order 2 too, and with differences;
/// - the outputs are linear in the sets of inputs that the record names as such, and in no others;
/// - what a call records, run again through apply(record …) with attributes written by name, gives
///   the same bits: the record is the whole op;
/// - transposed, strided and reversed inputs give the same values and gradients;
/// - special points have the value and gradient written down;
/// - a zero cotangent gives exactly zero, in order 1 and 2, at special points too;
/// - backward twice gives the same bits; a recorded gradient equals the fused one; gradients of two
///   uses add up, also where one variable is two arguments;
/// - float32 gradients equal float64 ones within kGradientUlpsFactor·ulps32;
/// - rejected inputs throw the stated error and leave the tape usable.
/// Of a large sample (kLargeElements), which goes beyond one task, tile and block of the kernels:
/// - the value is the reference's, in both precisions, from transposed and strided inputs too;
/// - one projection vᵀJu of the float64 gradient equals differences along u; the float32 gradient
///   equals the float64 one;
/// - values and gradients have the same bits at 1, 2 and 3 threads;
/// - every axis that the op's own kernels cut (ops/kernels/splits.def) is cut into two whole parts
///   and a shorter one by some sample.
/// An elementwise op that states no large sample gets its first smooth one tiled.
/// Ops of a program's own are checked by the same call.
CheckReport check_op(const OpDef& op, const OpTests& tests, const CheckOptions& options = {});

}  // namespace wengert::testing
