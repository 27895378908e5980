#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/random/masked.h"

namespace wengert {
namespace ops {
namespace {

/// A number for each channel of each example.
struct SpatialDropout {
  static constexpr bool kAffine = false, kTakesAxis = true;
  static constexpr int kLeastRank = 2;
  static constexpr std::string_view kRankFix = "give it [batch, channels, …]";
  static Masking of(const MaskAttributes& a, std::span<const std::int64_t> sizes) {
    const std::int64_t inner = element_count(sizes.subspan(static_cast<std::size_t>(a.axis) + 1));
    return {.inner = std::max<std::int64_t>(inner, 1),
            .period = element_count(sizes.first(static_cast<std::size_t>(a.axis) + 1)),
            .scale = 1 / (1 - a.p)};
  }
  static constexpr double inference_scale(double) { return 1; }
  static const OpDef& record();
};

}  // namespace

constinit const OpDef spatial_dropout_op = masked<SpatialDropout>(
    "spatial_dropout",
    {.summary = "Whole channels set to 0 at random in training, the others scaled up.",
     .formula = "training: y = x·[u ≥ p]/(1 − p), u of 53 random bits for each channel of each "
                "example; inference: y = x",
     .arguments = "x: any floating dtype, rank ≥ 2; 0 ≤ p ≤ 1, both ends exact; stream: takes its "
                  "next draw in training; axis: the last one that has a number of its own for each "
                  "element, negative from the back. The mode is that of the thread, kept in the "
                  "node. A view in inference",
     .gradient = "the cotangent under the same mask; exactly 0 where x was dropped",
     .source = "J. Tompson et al., Efficient object localization using convolutional networks, "
               "CVPR 2015"});

const OpDef& SpatialDropout::record() { return spatial_dropout_op; }

}  // namespace ops

Var spatial_dropout(const Var& x, double p, RandomStream& stream, int axis,
                    std::source_location where) {
  return ops::draw_mask(ops::spatial_dropout_op, x, p, axis, stream, stream.counter(), where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/random/mask_tests.h"

WENGERT_OP_TESTS(spatial_dropout) {
  using namespace wengert;
  using namespace wengert::testing;
  MaskedOp op;
  op.call = [](const Var& x, double p, RandomStream& stream) {
    return spatial_dropout(x, p, stream);
  };
  op.numbers = [](const Shape& shape) { return Shape{shape[0], shape[1]}; };
  op.number_of = [](const Shape& shape, std::int64_t i) {
    return i / (element_count(shape) / shape[0] / shape[1]);
  };
  op.many_numbers = {7, 10003};
  op.least_rank = 2;
  OpTests tests = mask_tests(op);
  tests.rejected.push_back({"axis",
                            [] {
                              RandomStream stream(1);
                              (void)spatial_dropout(Tensor::zeros({2, 3}), 0.5, stream, 2);
                            },
                            ErrorKind::kAxis, "axis 2 is out of range for rank 2"});
  tests.rejected.push_back({"rank",
                            [] {
                              RandomStream stream(1);
                              (void)spatial_dropout(Tensor::zeros({2}), 0.5, stream);
                            },
                            ErrorKind::kShape, "x is f32[2]"});
  return tests;
}
#endif
