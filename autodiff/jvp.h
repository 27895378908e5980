#pragma once

#include <source_location>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/var.h"

namespace wengert {

struct JvpOptions {
  /// Record the computation of the tangents, so that they can be differentiated again.
  bool create_graph = false;
};

/// Jacobian-vector product, forward mode: for each y the sum over xs of ∂y/∂x · tangent, of y's
/// shape; zeros where y depends on no x. One sweep goes forward over what the live tape recorded
/// between xs and ys; it takes time and memory as one backward pass does, however many ys there
/// are, and gives back nothing that backward needs. `xs` may be any values on the tape that require
/// gradients, also intermediate ones; each tangent has its x's shape and dtype, an empty one means
/// 1, for scalar xs only. With grad, whose gradients were recorded, it gives Hessian-vector
/// products:
///
///     Var g = grad(loss, w, {.create_graph = true});
///     Var hv = jvp({g}, {w}, {v})[0];
///
/// Throws Error(kGraph): no tape is live, an x is no value of it or a constant, a y depends on no
/// variable at all, saved values were given back by an earlier backward or overwritten;
/// Error(kValue): not one tangent for each x; Error(kShape, kDType): a tangent does not fit its x.
[[nodiscard]] WENGERT_API std::vector<Var> jvp(
    const VarList& ys, const VarList& xs, const VarList& tangents, const JvpOptions& options = {},
    std::source_location where = std::source_location::current());

}  // namespace wengert
