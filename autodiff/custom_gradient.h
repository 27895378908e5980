#pragma once

#include <concepts>
#include <memory>
#include <source_location>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/var.h"

namespace wengert {

namespace detail {
/// A value and its derivative as the user states them, whatever their types.
struct CustomGradient {
  std::shared_ptr<void> functions;
  void (*forward)(void* functions, std::span<const Var> inputs, std::vector<Var>& outputs);
  void (*backward)(void* functions, std::span<const Var> inputs, std::span<const Var> outputs,
                   std::span<const Var> cotangents, std::vector<Var>& gradients);
};
[[nodiscard]] WENGERT_API std::vector<Var> custom_gradient(CustomGradient f,
                                                           std::span<const Var> inputs,
                                                           std::string_view name,
                                                           std::source_location where);

template <class Forward, class Backward>
struct CustomFunctions {
  Forward forward;
  Backward backward;
};
/// forward of inputs, backward of inputs, outputs and cotangents.
template <class F, class B>
concept CustomOfMany = std::invocable<F&, std::span<const Var>> && std::convertible_to<
    std::invoke_result_t<B&, std::span<const Var>, std::span<const Var>, std::span<const Var>>,
    std::vector<Var>>;
/// The same of one input and one output.
template <class F, class B>
concept CustomOfOne = std::convertible_to<std::invoke_result_t<F&, const Var&>, Var> &&
    std::convertible_to<std::invoke_result_t<B&, const Var&, const Var&, const Var&>, Var>;
}  // namespace detail

/// forward(inputs), recorded as one node whose derivative is what `backward` states: for a
/// straight-through estimator, a reversed gradient, a form that is more accurate than what the ops
/// give, a function that is not made of ops. No record is needed; an op that is used in several
/// places, or wants kernels of its own, deserves one (docs/adding_an_op.md).
///
///     Var y = custom_gradient([](const Var& x) { return sign(x); },
///                             [](const Var& x, const Var&, const Var& g) {
///                               return where(abs(x) < 1.0, g, 0.0);
///                             }, x, "straight_through");
///
/// `forward` gives a Var or a std::vector<Var>, and so does this. backward(inputs, outputs,
/// cotangents) gives one gradient for each input, of its shape and dtype or a number; an empty Var
/// where it is zero. A cotangent that no gradient flows to comes as zeros. Both speak in ops and
/// are kept until the tape ends. Under create_graph what `backward` does is recorded and
/// differentiated like all else; else it is computed. gradcheck(order 2) checks both.
/// `name` stands in pictures and errors.
///
/// Everything that a gradient shall reach is among `inputs`: `forward` runs without a graph.
/// Throws Error(kGraph) when it uses another value that depends on variables or parameters, naming
/// it, or gives an empty Var; Error(kValue) when it gives nothing. Throws from the backward pass,
/// with the line of this call: Error(kValue) where `backward` gives another number of gradients
/// than there are inputs, Error(kShape, kDType) where one does not fit its input.
template <class Forward, class Backward>
requires detail::CustomOfMany<Forward, Backward>
[[nodiscard]] auto custom_gradient(Forward forward, Backward backward, const VarList& inputs,
                                   std::string_view name = {},
                                   std::source_location where = std::source_location::current()) {
  using Functions = detail::CustomFunctions<Forward, Backward>;
  using Given = std::invoke_result_t<Forward&, std::span<const Var>>;
  std::vector<Var> outputs =
      detail::custom_gradient({std::make_shared<Functions>(std::move(forward), std::move(backward)),
                               [](void* functions, std::span<const Var> x, std::vector<Var>& y) {
                                 auto& f = static_cast<Functions*>(functions)->forward;
                                 if constexpr (std::convertible_to<Given, Var>) {
                                   y.push_back(f(x));
                                 } else {
                                   y = f(x);
                                 }
                               },
                               [](void* functions, std::span<const Var> x, std::span<const Var> y,
                                  std::span<const Var> g, std::vector<Var>& gradients) {
                                 gradients = static_cast<Functions*>(functions)->backward(x, y, g);
                               }},
                              inputs, name, where);
  if constexpr (std::convertible_to<Given, Var>) {
    return std::move(outputs[0]);
  } else {
    return outputs;
  }
}

/// The same for one input and one output: forward(x), backward(x, y, cotangent).
template <class Forward, class Backward>
requires detail::CustomOfOne<Forward, Backward>
[[nodiscard]] Var custom_gradient(Forward forward, Backward backward, const Var& x,
                                  std::string_view name = {},
                                  std::source_location where = std::source_location::current()) {
  using Functions = detail::CustomFunctions<Forward, Backward>;
  return detail::custom_gradient(
      {std::make_shared<Functions>(std::move(forward), std::move(backward)),
       [](void* functions, std::span<const Var> in, std::vector<Var>& y) {
         y.push_back(static_cast<Functions*>(functions)->forward(in[0]));
       },
       [](void* functions, std::span<const Var> in, std::span<const Var> y, std::span<const Var> g,
          std::vector<Var>& gradients) {
         gradients.push_back(static_cast<Functions*>(functions)->backward(in[0], y[0], g[0]));
       }},
      {&x, 1}, name, where)[0];
}

}  // namespace wengert
