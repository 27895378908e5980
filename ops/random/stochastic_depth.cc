#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/random/masked.h"

namespace wengert {
namespace ops {
namespace {

/// A number for each example.
struct StochasticDepth {
  static constexpr bool kAffine = false, kTakesAxis = true;
  static constexpr int kLeastRank = 1;
  static constexpr std::string_view kRankFix = "give it [batch, …]";
  static Masking of(const MaskAttributes& a, std::span<const std::int64_t> sizes) {
    return {.inner = std::max<std::int64_t>(element_count(sizes.subspan(1)), 1),
            .period = sizes[0],
            .scale = 1 / (1 - a.p)};
  }
  static constexpr double inference_scale(double) { return 1; }
  static const OpDef& record();
};

}  // namespace

constinit const OpDef stochastic_depth_op = masked<StochasticDepth>(
    "stochastic_depth",
    {.summary = "A residual branch dropped at random for whole examples, the others scaled up.",
     .formula = "training: y = x·[u ≥ p]/(1 − p), u of 53 random bits for each example; inference: "
                "y = x. A block is then input + stochastic_depth(branch)",
     .arguments = "x: any floating dtype, [batch, …]; 0 ≤ p ≤ 1, both ends exact; stream: takes "
                  "its next draw in training. The mode is that of the thread, kept in the node. A "
                  "view in inference",
     .gradient = "the cotangent under the same mask; exactly 0 where x was dropped",
     .source =
         "G. Huang et al., Deep networks with stochastic depth, ECCV 2016; scaled in training "
         "instead of inference"});

const OpDef& StochasticDepth::record() { return stochastic_depth_op; }

}  // namespace ops

Var stochastic_depth(const Var& x, double p, RandomStream& stream, std::source_location where) {
  return ops::draw_mask(ops::stochastic_depth_op, x, p, 0, stream, stream.counter(), where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/random/mask_tests.h"

WENGERT_OP_TESTS(stochastic_depth) {
  using namespace wengert;
  using namespace wengert::testing;
  MaskedOp op;
  op.call = [](const Var& x, double p, RandomStream& stream) {
    return stochastic_depth(x, p, stream);
  };
  op.numbers = [](const Shape& shape) { return Shape{shape[0]}; };
  op.number_of = [](const Shape& shape, std::int64_t i) {
    return i / (element_count(shape) / shape[0]);
  };
  op.many_numbers = {70001, 2};
  op.least_rank = 1;
  return mask_tests(op);
}
#endif
