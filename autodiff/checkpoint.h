#pragma once

#include <concepts>
#include <memory>
#include <source_location>
#include <span>
#include <utility>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/var.h"

namespace wengert {

namespace detail {
/// What checkpoint computes: values from values, without state of its own.
struct CheckpointFunction {
  std::shared_ptr<void> function;
  void (*call)(void* function, std::span<const Var> inputs, std::vector<Var>& outputs);
};
[[nodiscard]] WENGERT_API std::vector<Var> checkpoint(CheckpointFunction f,
                                                      std::span<const Var> inputs,
                                                      std::source_location where);
}  // namespace detail

/// f(inputs), recorded as one node that keeps its inputs alone: backward computes f anew and goes
/// on from there, with the bits that it would have without. Memory for what f computes is then held
/// only while its gradient is, at the price of one more evaluation: a chain of T steps in √T
/// checkpoints needs memory for 2√T of them. Parameters that f uses are found and become inputs,
/// and so does what a ParameterOverride puts in their place now; draws are those of this
/// RandomLane. Gradients of every order exist; under create_graph the recomputation is recorded,
/// which an f that draws random numbers of a ParameterSet or updates buffers refuses: it would do
/// so once more.
///
/// f must give the same values whenever it is called: it is called once now and once for each
/// backward. Throws Error(kGraph) when f reads a value that depends on variables and is not among
/// the inputs, Error(kValue) when f gives nothing or, called again, something of another shape.
/// T. Chen, B. Xu, C. Zhang, C. Guestrin, Training deep nets with sublinear memory cost, 2016;
/// A. Griewank, Achieving logarithmic growth of temporal and spatial complexity in reverse
/// automatic differentiation, 1992.
template <class F>
requires std::invocable<F&, std::span<const Var>>
[[nodiscard]] std::vector<Var> checkpoint(
    F f, const VarList& inputs, std::source_location where = std::source_location::current()) {
  return detail::checkpoint({std::make_shared<F>(std::move(f)),
                             [](void* function, std::span<const Var> in, std::vector<Var>& out) {
                               out = (*static_cast<F*>(function))(in);
                             }},
                            inputs, where);
}
/// The same for one value of one input.
template <class F>
requires std::invocable<F&, const Var&>
[[nodiscard]] Var checkpoint(F f, const Var& x,
                             std::source_location where = std::source_location::current()) {
  return detail::checkpoint({std::make_shared<F>(std::move(f)),
                             [](void* function, std::span<const Var> in, std::vector<Var>& out) {
                               out.push_back((*static_cast<F*>(function))(in[0]));
                             }},
                            {&x, 1}, where)[0];
}

}  // namespace wengert
