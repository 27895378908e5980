#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "wengert/autodiff/gradient.h"
#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/var.h"

namespace wengert {

class Gradients;
class Tape;
struct BackwardOptions;
WENGERT_API Gradients backward(const Var& loss, const BackwardOptions& options,
                               std::source_location where);

/// Watches gradients as they are computed; see BackwardOptions::observer.
class WENGERT_API GradientObserver {
 public:
  virtual ~GradientObserver() = default;
  /// What `consumer` sends back to its input `input`, before it is added to what others send. Of a
  /// leaf it may be a few rows.
  virtual void on_edge(const Tape& tape, std::uint32_t consumer, int input,
                       const Gradient& cotangent) {
    (void)tape, (void)consumer, (void)input, (void)cotangent;
  }
  /// The whole cotangent of a node, all consumers added.
  virtual void on_node(const Tape& tape, std::uint32_t node, const Gradient& cotangent) {
    (void)tape, (void)node, (void)cotangent;
  }
};

struct BackwardOptions {
  /// Record the gradient computation, so that it can be differentiated again. Implies retain.
  bool create_graph = false;
  /// Keep the saved values, so that backward can run again; otherwise each is given back as soon
  /// as it was used.
  bool retain = false;
  GradientObserver* observer = nullptr;
};

/// Gradients of one scalar with respect to the leaves it depends on, and the updates of buffers
/// that waited on its tape: they take effect when an optimizer's step with these gradients
/// succeeds.
class WENGERT_NODISCARD_API Gradients {
 public:
  struct Entry {
    Var leaf;
    Parameter* parameter;  ///< null for variables
    Gradient gradient;     ///< dense, or the few rows that lookups alone have reached
  };

  /// The dense gradient with respect to a variable; zeros when the scalar does not depend on it.
  /// Throws Error(kGraph) for what is not a variable or parameter.
  Var operator[](const Operand& leaf) const;
  /// That of a parameter; zeros when the scalar does not depend on it.
  Var operator[](const Parameter& parameter) const;
  /// The same by parameter name. Throws Error(kParameter) when no gradient of that name is here.
  Var at(std::string_view parameter_name,
         std::source_location where = std::source_location::current()) const;
  /// As it is, dense or rows; null when no gradient of that parameter is here.
  const Gradient* find(const Parameter& parameter) const;
  /// Variables and parameters reached, in the order of the tape.
  std::span<const Entry> entries() const { return entries_; }
  std::span<Entry> entries() { return entries_; }

  /// Sums gradients of the same parameter or variable; the other's updates of buffers come after
  /// these. The parts of a step: in the order of their tapes, of which each should start after the
  /// updates of the part before (Tape::start_after). The sum is recorded only on a live tape that
  /// recorded the gradients; rows and rows are rows. Throws Error(kShape, kDType) when gradients of
  /// one leaf differ in these.
  Gradients& operator+=(const Gradients& other);
  /// Scales every gradient and value(); recorded where the live tape recorded the gradients.
  Gradients& operator*=(double factor);
  /// Of the scalar that these are gradients of; sums and multiples follow. For methods that look at
  /// what a step brings.
  double value() const { return value_; }
  /// What will become of buffers.
  const BufferUpdates& updates() const { return updates_; }
  /// Updates that come after these, of a part of the step that has no gradients.
  void append_updates(const BufferUpdates& later) { updates_.append(later); }

 private:
  friend class Engine;
  friend Gradients backward(const Var& loss, const BackwardOptions& options,
                            std::source_location where);
  std::vector<Entry> entries_;
  BufferUpdates updates_;
  double value_ = 0;
};

/// Gradients of `loss` with respect to every variable and parameter it depends on.
/// Throws Error(kGraph): not recorded on the live tape, nothing to differentiate, values given
/// back by an earlier backward, a saved value overwritten; Error(kShape): not a scalar (use grad
/// with a cotangent); Error(kDType): not floating.
WENGERT_API Gradients backward(const Var& loss, const BackwardOptions& options = {},
                               std::source_location where = std::source_location::current());

/// Vector-Jacobian product: for each x the sum over ys of cotangentᵀ · ∂y/∂x, of x's shape; zeros
/// where no y depends on x. A y that depends on no variable at all is an error, unless it is a
/// derivative recorded with create_graph (of a linear function). `xs` may be any values on the tape
/// that require gradients, also intermediate ones. A missing cotangent means 1, for scalar ys only.
/// Throws as backward does, and Error(kShape, kDType) when a cotangent does not fit its y.
[[nodiscard]] WENGERT_API std::vector<Var> grad(
    const VarList& ys, const VarList& xs, const VarList& cotangents = {},
    const BackwardOptions& options = {},
    std::source_location where = std::source_location::current());
[[nodiscard]] WENGERT_API Var grad(const Var& y, const Var& x, const BackwardOptions& options = {},
                                   std::source_location where = std::source_location::current());

namespace detail {
/// The same into `gradients`, one place for each x.
WENGERT_API void grad_into(std::span<Var> gradients, std::span<const Var> ys,
                           std::span<const Var> xs, std::span<const Var> cotangents,
                           const BackwardOptions& options, std::source_location where);
}  // namespace detail

/// The same for xs that are written out: auto [dw, db] = grad(y, {w, b}).
template <std::size_t n>
[[nodiscard]] std::array<Var, n> grad(
    const Var& y, const Var (&xs)[n], const BackwardOptions& options = {},
    std::source_location where = std::source_location::current()) {
  std::array<Var, n> gradients;
  detail::grad_into(gradients, {&y, 1}, xs, {}, options, where);
  return gradients;
}
template <std::size_t n>
[[nodiscard]] std::array<Var, n> grad(
    const VarList& ys, const Var (&xs)[n], const VarList& cotangents = {},
    const BackwardOptions& options = {},
    std::source_location where = std::source_location::current()) {
  std::array<Var, n> gradients;
  detail::grad_into(gradients, ys, xs, cotangents, options, where);
  return gradients;
}

namespace detail {
/// What on_gradient keeps: a callable and how to call it.
struct GradientHook {
  std::shared_ptr<void> callable;
  void (*call)(void* callable, const Gradient& gradient);
};
WENGERT_API void on_gradient(std::string_view name, GradientHook hook, std::source_location where);
}  // namespace detail

/// Calls observe(const Tensor& gradient) with the gradient of the named value (Tape::name, or a
/// parameter's name) whenever backward on the live tape reaches it; a callable that takes a
/// Gradient instead gets that of a table as the few rows that were looked up, others get it dense.
/// The tape owns `observe` and lets it go when it ends.
/// Throws Error(kGraph) when no tape is live, Error(kParameter) when the name is unknown.
template <class F>
requires std::invocable<F&, const Tensor&> || std::invocable<F&, const Gradient&>
void on_gradient(std::string_view name, F observe,
                 std::source_location where = std::source_location::current()) {
  detail::on_gradient(name,
                      {std::make_shared<F>(std::move(observe)),
                       [](void* callable, const Gradient& gradient) {
                         F& function = *static_cast<F*>(callable);
                         if constexpr (std::invocable<F&, const Tensor&>) {
                           function(gradient.dense().value());
                         } else {
                           function(gradient);
                         }
                       }},
                      where);
}

}  // namespace wengert
