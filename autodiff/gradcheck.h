#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/tensor.h"
#include "wengert/graph/var.h"

namespace wengert {

class ParameterSet;

struct GradcheckOptions {
  /// Which derivative is checked: 1 differences the function, 2 differences its gradient as
  /// backward computes it, and so on; never a difference of differences.
  int order = 1;
  /// Passes where |analytic − numeric| ≤ absolute + relative·max(|analytic|, |numeric|).
  double absolute = 1e-9;
  double relative = 1e-7;
  /// Distance between the points of the difference; 0: 2⁻⁸·max(1, |x|), near ε^(1/7). With a step
  /// of 1 and polynomials of degree up to 6 the difference is exact but for rounding.
  double step = 0;
  /// Compare one projection uᵀJv an argument instead of every element of uᵀJ.
  bool fast = false;
  /// Bit i: input i is differentiated (floating inputs only); inputs beyond 31 go by the last bit.
  std::uint32_t arguments = 0xffffffffu;
};

struct GradcheckResult {
  bool passed = true;
  std::int64_t checked = 0;   ///< derivatives compared
  double worst_error = 0;     ///< largest |analytic − numeric|
  double worst_ratio = 0;     ///< largest |analytic − numeric| over its tolerance; passes up to 1
  int input = -1;             ///< where worst_ratio is
  std::int64_t element = -1;  ///< there, in row-major order; −1 when a projection was compared
  double analytic = 0;
  double numeric = 0;
  double tolerance = 0;
  /// Where it goes wrong, where that is known: the op with the wrong rule and its line, the place
  /// where the graph was cut, two calls that differ, the first NaN.
  std::string fault;
  std::string message;  ///< one line on the worst element, with the fault; empty when passed
  explicit operator bool() const { return passed; }
};

namespace detail {
/// Calls a function of Vars whatever its type; keeps std::function out of this header.
struct GradcheckFunction {
  void (*call)(void* context, std::span<const Var> inputs, std::vector<Var>& outputs);
  void* context;
};
WENGERT_API GradcheckResult gradcheck(GradcheckFunction function, std::span<const Tensor> inputs,
                                      const GradcheckOptions& options, std::source_location where);
WENGERT_API GradcheckResult gradcheck(GradcheckFunction function, ParameterSet& parameters,
                                      const GradcheckOptions& options, std::source_location where);
/// Of a function that gives a Var or a std::vector<Var> for `inputs`, or for none.
template <class Function>
inline constexpr auto gradcheck_call =
    [](void* context, std::span<const Var> in, std::vector<Var>& out) {
      auto& function = **static_cast<Function**>(context);
      auto&& result = [&]() -> decltype(auto) {
        if constexpr (std::invocable<Function&>) {
          return function();
        } else {
          return function(in);
        }
      }();
      if constexpr (std::convertible_to<decltype(result), Var>) {
        out.emplace_back(std::forward<decltype(result)>(result));
      } else {
        for (auto& var : result) out.emplace_back(var);
      }
    };
}  // namespace detail

/// Compares the derivatives that backward computes for `function` at `inputs` with differences:
/// six points around each input element, sharpened by Ridders' extrapolation where those miss. The
/// outputs are summed with fixed irregular weights (a single element as it is), so one backward
/// pass is enough. Where both slopes at a point differ it fails, whatever the gradient.
/// Of a failure `fault` says where it comes from: each op that the function records is checked by
/// itself on what it was given, so that the one with the wrong rule is named with its line; else
/// the function runs again beside itself, and what changes although no gradient flows there is
/// named. `function` maps std::span<const Var> to a Var or a std::vector<Var>; it is called many
/// times and must be deterministic and smooth near `inputs`. Use float64: float32 differences are
/// noise. Throws Error(kValue): order < 1, a step that is not a number ≥ 0; Error(kDType): none of
/// the arguments is floating; and what `function` throws. Source: J. Ridders, Accurate computation
/// of F′(x) and F′(x)F″(x), 1982; B. Fornberg, Generation of finite difference formulas on
/// arbitrarily spaced grids, 1988.
template <class Function>
requires std::invocable<Function&, std::span<const Var>> GradcheckResult
gradcheck(Function&& function, std::span<const Tensor> inputs, const GradcheckOptions& options = {},
          std::source_location where = std::source_location::current()) {
  auto* subject = std::addressof(function);  // of a plain function too
  return detail::gradcheck(
      {detail::gradcheck_call<std::remove_pointer_t<decltype(subject)>>, &subject}, inputs, options,
      where);
}

/// The same by the trained parameters of a model: `function` has no arguments and gives the loss,
/// or what else the model computes of `parameters`; those that its first call creates are among
/// them. They are moved about meanwhile and are as before at the end. `options.arguments` counts
/// them in the order in which they were created.
template <class Function>
requires std::invocable<Function&> GradcheckResult
gradcheck(Function&& function, ParameterSet& parameters, const GradcheckOptions& options = {},
          std::source_location where = std::source_location::current()) {
  auto* subject = std::addressof(function);
  return detail::gradcheck(
      {detail::gradcheck_call<std::remove_pointer_t<decltype(subject)>>, &subject}, parameters,
      options, where);
}

}  // namespace wengert
