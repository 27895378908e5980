#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <cmath>

#include "wengert/ops/random/masked.h"

namespace wengert {
namespace ops {
namespace {

/// What selu tends to for very negative x: −λα.
constexpr double kFloor = -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717;

/// A number for each element. Scale and shift give mean 0 and variance 1 again.
struct AlphaDropout {
  static constexpr bool kAffine = true, kTakesAxis = false;
  static constexpr int kLeastRank = 0;
  static constexpr std::string_view kRankFix = {};
  static Masking of(const MaskAttributes& a, std::span<const std::int64_t> sizes) {
    const double scale = 1 / std::sqrt((1 - a.p) * (1 + a.p * kFloor * kFloor));
    const double shift = -scale * a.p * kFloor;
    return {.period = element_count(sizes),
            .scale = scale,
            .shift = shift,
            .dropped = scale * kFloor + shift};
  }
  static constexpr double inference_scale(double) { return 1; }
  static const OpDef& record();
};

}  // namespace

constinit const OpDef alpha_dropout_op = masked<AlphaDropout>(
    "alpha_dropout",
    {.summary = "Dropout for selu: mean 0 and variance 1 stay what they are.",
     .formula = "training: y = a·x + b where u ≥ p, else a·α′ + b; α′ = −λα ≈ −1.758, a = "
                "1/√((1 − p)·(1 + p·α′²)), b = −a·p·α′, u of 53 random bits for each element; "
                "inference: y = x",
     .arguments = "x: any floating dtype and shape; 0 ≤ p < 1; stream: takes its next draw in "
                  "training. The mode is that of the thread, kept in the node. A view in inference",
     .gradient = "a times the cotangent; exactly 0 where x was dropped",
     .source = "G. Klambauer et al., Self-normalizing neural networks, NIPS 2017"});

const OpDef& AlphaDropout::record() { return alpha_dropout_op; }

}  // namespace ops

Var alpha_dropout(const Var& x, double p, RandomStream& stream, std::source_location where) {
  return ops::draw_mask(ops::alpha_dropout_op, x, p, 0, stream, stream.counter(), where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/random/mask_tests.h"

WENGERT_OP_TESTS(alpha_dropout) {
  using namespace wengert;
  using namespace wengert::testing;
  MaskedOp op;
  op.call = [](const Var& x, double p, RandomStream& stream) {
    return alpha_dropout(x, p, stream);
  };
  op.numbers = [](const Shape& shape) { return shape; };
  // With the floor f of selu: (q + f²·q·(1 − q))^(−1/2), q the share that is kept.
  constexpr double f = -1.7580993408473766;
  const auto scale = [](double p) {
    const double q = 1 - p;
    return std::pow(q + f * f * q * (1 - q), -0.5);
  };
  op.kept = [scale](double x, double p) { return scale(p) * (x - p * f); };
  op.dropped = [scale](double p) { return scale(p) * (f - p * f); };
  op.linear = false;
  op.scale = 2;
  OpTests tests = mask_tests(op);
  tests.samples.push_back(holds_sample("mean 0 and variance 1 stay", [] {
    RandomStream draws(3, "normal"), stream(7, "drop");
    const Tape tape;
    const Tensor x = random_normal(draws, {300, 400}, 0, 1, DType::kFloat64).value();
    const Tensor y = alpha_dropout(x, 0.3, stream).value();
    double sum = 0, squares = 0;
    for (const double v : y.to_vector<double>()) {
      sum += v / 120000;
      squares += v * v / 120000;
    }
    return std::fabs(sum) < 0.015 && std::fabs(squares - 1) < 0.02;
  }));
  return tests;
}
#endif
