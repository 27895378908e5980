#pragma once

// Private to the library.

#include "wengert/graph/op.h"
#include "wengert/ops/kernels/normalize.h"
#include "wengert/ops/normalization/checks.h"

// What batch_norm and batch_norm_inference share: the channels and their axis.
namespace wengert::ops {

struct ChannelNormAttributes {
  std::int64_t axis = 1;
  double epsilon = 1e-5;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("axis", self.axis);
    v("epsilon", self.epsilon);
  }
};

inline kernels::ChannelShape channels_of(std::span<const std::int64_t> sizes, std::int64_t axis) {
  kernels::ChannelShape shape = {1, sizes[static_cast<std::size_t>(axis)], 1};
  for (std::size_t d = 0; d < sizes.size(); ++d) {
    const auto at = static_cast<std::int64_t>(d);
    if (at < axis) shape.outer *= sizes[d];
    if (at > axis) shape.inner *= sizes[d];
  }
  return shape;
}

/// Checks input 0 and the attributes; gives the channels' axis, counted from the front.
inline int infer_channels(InferContext& call) {
  call.require_floating(0);
  if (call.rank(0) == 0) {
    call.fail(ErrorKind::kShape, "x is a scalar " + call.describe(0), "give it [batch, channels]");
  }
  const int axis = call.canonical_axis(&ChannelNormAttributes::axis, call.rank(0));
  check_epsilon(call, call.attributes<ChannelNormAttributes>().epsilon);
  return axis;
}

}  // namespace wengert::ops
