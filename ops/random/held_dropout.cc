#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <string>

#include "wengert/graph/error.h"
#include "wengert/ops/random/masked.h"

namespace wengert {
namespace ops {
namespace {

/// A number for each element of an example, the same in every example and call of an epoch.
struct HeldDropout {
  static constexpr bool kAffine = false, kTakesAxis = false;
  static constexpr int kLeastRank = 1;
  static constexpr std::string_view kRankFix = "give it [batch, …]";
  static Masking of(const MaskAttributes& a, std::span<const std::int64_t> sizes) {
    return {.period = element_count(sizes.subspan(1)), .scale = 1 / (1 - a.p)};
  }
  static constexpr double inference_scale(double) { return 1; }
  static const OpDef& record();
};

}  // namespace

constinit const OpDef held_dropout_op = masked<HeldDropout>(
    "held_dropout",
    {.summary = "Units dropped at random, the same ones in every example for an epoch.",
     .formula = "training: y = x·[u ≥ p]/(1 − p), u of 53 random bits for each unit, drawn anew "
                "every `calls` calls; inference: y = x",
     .arguments =
         "x: any floating dtype, [batch, …]; 0 ≤ p ≤ 1, both ends exact; stream: counts "
         "the calls in training; calls: the mini-batches of an epoch, at least 1. The mode "
         "is that of the thread, kept in the node. A view in inference",
     .gradient = "the cotangent under the same mask; exactly 0 where x was dropped",
     .source = "N. Srivastava et al., Dropout: a simple way to prevent neural networks from "
               "overfitting, 2014; a thinned network for each epoch"});

const OpDef& HeldDropout::record() { return held_dropout_op; }

}  // namespace ops

Var held_dropout(const Var& x, double p, RandomStream& stream, std::int64_t calls,
                 std::source_location where) {
  if (calls < 1) {
    throw Error(ErrorKind::kValue, "held_dropout",
                "a mask held for " + std::to_string(calls) + " calls",
                "give the number of mini-batches of an epoch", where);
  }
  const std::uint64_t epoch = stream.counter() / static_cast<std::uint64_t>(calls);
  return ops::draw_mask(ops::held_dropout_op, x, p, 0, stream, epoch, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/random/mask_tests.h"

WENGERT_OP_TESTS(held_dropout) {
  using namespace wengert;
  using namespace wengert::testing;
  MaskedOp op;
  op.call = [](const Var& x, double p, RandomStream& stream) {
    return held_dropout(x, p, stream, 1);
  };
  op.numbers = [](const Shape& shape) {
    Shape units = shape;
    units.erase(0);
    return units;
  };
  op.number_of = [](const Shape& shape, std::int64_t i) {
    return i % (element_count(shape) / shape[0]);
  };
  op.many_numbers = {2, 70001};
  op.least_rank = 1;
  OpTests tests = mask_tests(op);
  tests.samples.push_back(holds_sample("the mask is held for so many calls", [] {
    RandomStream stream(7, "held");
    const Tape tape;
    const Tensor ones = Tensor::full({2, 50}, 1);
    std::vector<Tensor> masks;
    for (int call = 0; call < 6; ++call) {
      masks.push_back(held_dropout(ones, 0.5, stream, 3).value());
    }
    return same_elements(masks[0], masks[1]) && same_elements(masks[0], masks[2]) &&
           same_elements(masks[3], masks[5]) && !same_elements(masks[2], masks[3]) &&
           stream.counter() == 6;
  }));
  tests.rejected.push_back({"no calls",
                            [] {
                              RandomStream stream(1);
                              (void)held_dropout(Tensor::zeros({2, 3}), 0.5, stream, 0);
                            },
                            ErrorKind::kValue, "a mask held for 0 calls"});
  tests.rejected.push_back({"scalar",
                            [] {
                              RandomStream stream(1);
                              (void)held_dropout(Tensor::zeros({}), 0.5, stream, 1);
                            },
                            ErrorKind::kShape, "x is f32[]"});
  return tests;
}
#endif
