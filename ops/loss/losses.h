#pragma once

#include <cstdint>

#include "wengert/graph/op.h"
#include "wengert/ops/loss/reduction.h"

// What all losses share. Private to the library.
namespace wengert::ops {

/// Of a loss without options of its own.
struct LossAttributes {
  Reduction reduction = Reduction::kMean;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("reduction", self.reduction);
  }
};

/// Adds the output: a scalar, or `shape`, that of the single losses, where nothing is reduced.
void output_of_loss(InferContext& call, Reduction reduction, const Shape& shape);

/// Fails unless input i, if given, has the dtype of input 0 and the shape of the single losses.
void check_weights(InferContext& call, int i, const Shape& losses);

/// The cotangents of single losses, in ops: `cotangent` that of the result, `weights` and what they
/// count in the denominator empty or of the losses' shape.
Var spread_cotangent(const Var& cotangent, Reduction reduction, std::int64_t n, const Var& weights,
                     const Var& counted = {});

}  // namespace wengert::ops
