#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "wengert/testing/check_op.h"

// The parts of check_op. Private to the testing library.
namespace wengert::testing {

struct Recorded;

/// One op under test and what was found so far.
class OpChecker {
 public:
  OpChecker(const OpDef& op, const OpTests& tests, const CheckOptions& options)
      : op_(op), tests_(tests), options_(options) {}

  /// Counts a property; a non-empty `problem` is a failure of it.
  void expect(const Sample& sample, const std::string& what, const std::string& problem);
  /// The same for what belongs to no sample.
  void expect(const std::string& what, const std::string& problem);

  /// Values in both precisions and from every layout.
  void check_values(const Sample& sample);
  /// What the call recorded, run again through its records, attributes by name, gives the same.
  void check_records(const Sample& sample);
  /// Differences to the stated order, for every subset of arguments.
  void check_differences(const Sample& sample);
  /// Forward mode beside reverse mode, in order 1 and 2, and beside differences.
  void check_tangents(const Sample& sample);
  /// What the record says of its linearity, at this sample.
  void look_at_linearity(const Sample& sample);
  /// Whether the record names every set of inputs that all samples are linear in.
  void check_linear();
  /// What holds for gradients without differences.
  void check_gradient_rules(const Sample& sample);
  /// A sample beyond one task, tile and block: values, one projected gradient, float32 beside
  /// float64, views, and the same bits at every thread count.
  void check_large(const Sample& sample);
  bool has_large() const;
  void check_special(const Special& special);
  void check_rejected(const Rejected& rejected);
  /// An empty Var in each place of a call is refused.
  void check_empty_inputs(const Sample& sample);

  CheckReport& report() { return report_; }

 private:
  void report(const std::string& what, const std::string& problem, const std::string& selection);
  bool is_argument(const Sample& sample, std::size_t i) const;
  /// Indices of the inputs that a gradient exists for.
  std::vector<std::size_t> arguments(const Sample& sample) const;
  void check_views(const Sample& sample);
  /// Without copies, and results and gradients in the operands' order, where the record says so.
  void check_tangents_of_order_two(const Sample& sample, const Recorded& r,
                                   const std::vector<Var>& directions,
                                   const std::vector<Var>& tangents,
                                   const std::vector<Var>& gradients);
  void check_tangent_differences(const Sample& sample, const Recorded& r,
                                 const std::vector<Var>& directions,
                                 const std::vector<Var>& tangents);
  void check_order(const Sample& sample, std::span<const Tensor> viewed, const std::string& what);
  void check_large_views(const Sample& sample, std::span<const Tensor> inputs,
                         const std::vector<Tensor>& values, const std::vector<Tensor>& gradients,
                         std::vector<Tensor> cotangents);
  /// What is wrong with these results of a sample, per output, within the stated ULPs.
  std::string compare_all(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected,
                          const Sample& sample) const;
  void check_zero_cotangent(const Sample& sample);
  void check_repeated(const Sample& sample);
  void check_outputs_apart(const Sample& sample);
  void check_two_uses(const Sample& sample);
  void check_same_variable(const Sample& sample);
  void check_float32_gradient(const Sample& sample);
  void check_special_at(const Special& special, const Sample& call, DType dtype,
                        std::int64_t count);

  const OpDef& op_;
  const OpTests& tests_;
  const CheckOptions& options_;
  CheckReport report_;
  std::string last_command_;                 ///< that a message gave
  std::map<std::uint32_t, bool> linearity_;  ///< by set of inputs: whether all samples are linear
};

// ---------------------------------------------------------------------------- comparing

/// Distance between neighbouring numbers of `dtype` (float32 or float64) at |x|.
double ulp_of(double x, DType dtype);

/// How to compare two tensors: bits, or ULPs of max(|expected|, scale) in `dtype`.
struct Tolerance {
  double ulps = 0;
  double scale = 0;
  DType dtype = DType::kFloat64;
};

/// Empty when `actual` has the shape of `expected` and every element is near enough: NaN is near
/// NaN alone, infinities are equal; otherwise a sentence on the worst element.
std::string difference(const Tensor& actual, const Tensor& expected, const Tolerance& tolerance);
/// Empty when both have the same shape and bits.
std::string bit_difference(const Tensor& actual, const Tensor& expected);
/// Empty when every element is 0.
std::string not_zero(const Tensor& actual);
double largest_magnitude(const Tensor& tensor);

// ---------------------------------------------------------------------------- calling

/// ±[0.5, 1.5], irregular, of the shape and dtype of `y`.
Tensor cotangent_like(const Var& y, int seed);

/// A call recorded on the live tape, with variables where gradients are wanted.
struct Recorded {
  std::vector<Var> inputs;      ///< all of them
  std::vector<Var> arguments;   ///< the differentiable ones
  std::vector<Var> outputs;     ///< those that gradients flow through
  std::vector<Var> cotangents;  ///< one for each of these
};
Recorded record(const Sample& sample, std::span<const Tensor> inputs,
                const std::vector<std::size_t>& arguments, int seed = 1);

/// Floating tensors in `dtype`, the others as they are.
std::vector<Tensor> in_dtype(std::span<const Tensor> inputs, DType dtype);

/// The same elements in another layout: last two axes swapped in memory, the first axis fastest,
/// every second element of a larger tensor whose other elements are NaN (or a large integer), or
/// running backwards.
enum class Layout { kTransposed, kRotated, kStrided, kReversed };
Tensor with_layout(const Tensor& tensor, Layout layout);
/// "transposed inputs", …
const char* name_of_layout(Layout layout);

/// A sample of kLongVector, and one of kLongColumns, made of the elements of a smooth elementwise
/// one, picked irregularly; none where its operands have several shapes or none.
std::vector<Sample> tiled(const Sample& sample);

}  // namespace wengert::testing
