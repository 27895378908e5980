#pragma once

#include "wengert/graph/op.h"

// How every elementwise op infers, computes and differentiates, given its kernels.
namespace wengert::ops {

/// Sizes after broadcasting inputs first…last: equal, or 1, or absent at the front.
/// Fails with ErrorKind::kShape naming both operands.
WENGERT_API Shape broadcast_shape(const OpCall& call, int first, int last);

WENGERT_API void infer_elementwise(InferContext& call);
WENGERT_API void evaluate_elementwise(EvalContext& call);
WENGERT_API void backward_elementwise(BackwardContext& call);

}  // namespace wengert::ops
