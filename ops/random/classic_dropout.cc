#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/random/masked.h"

namespace wengert {
namespace ops {
namespace {

/// A number for each element; what is kept is not scaled.
struct ClassicDropout {
  static constexpr bool kAffine = false, kTakesAxis = false;
  static constexpr int kLeastRank = 0;
  static constexpr std::string_view kRankFix = {};
  static Masking of(const MaskAttributes&, std::span<const std::int64_t> sizes) {
    return {.period = element_count(sizes)};
  }
  static constexpr double inference_scale(double p) { return 1 - p; }
  static const OpDef& record();
};

}  // namespace

constinit const OpDef classic_dropout_op = masked<ClassicDropout>(
    "classic_dropout",
    {.summary =
         "Elements set to 0 at random in training; scaled by what share is kept in inference.",
     .formula = "training: y = x·[u ≥ p], u of 53 random bits for each element; inference: y = "
                "(1 − p)·x",
     .arguments = "x: any floating dtype and shape; 0 ≤ p ≤ 1, both ends exact; stream: takes its "
                  "next draw in training. The mode is that of the thread, kept in the node",
     .gradient = "the cotangent under the same mask or scale; exactly 0 where x was dropped",
     .source = "N. Srivastava et al., Dropout: a simple way to prevent neural networks from "
               "overfitting, 2014"});

const OpDef& ClassicDropout::record() { return classic_dropout_op; }

}  // namespace ops

Var classic_dropout(const Var& x, double p, RandomStream& stream, std::source_location where) {
  return ops::draw_mask(ops::classic_dropout_op, x, p, 0, stream, stream.counter(), where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/random/mask_tests.h"

WENGERT_OP_TESTS(classic_dropout) {
  using namespace wengert;
  using namespace wengert::testing;
  MaskedOp op;
  op.call = [](const Var& x, double p, RandomStream& stream) {
    return classic_dropout(x, p, stream);
  };
  op.numbers = [](const Shape& shape) { return shape; };
  op.kept = [](double x, double) { return x; };
  op.in_inference = [](double x, double p) { return x * (1 - p); };
  return mask_tests(op);
}
#endif
