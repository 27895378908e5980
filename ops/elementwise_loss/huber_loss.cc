#include "wengert/ops/elementwise_loss/formula.h"

WENGERT_FORMULAS {
  struct HuberAttributes {
    double delta = 1;
    Reduction reduction = Reduction::kMean;
    template <class Self, class V>
    static void visit(Self& self, V&& v) {
      v("delta", self.delta);
      v("reduction", self.reduction);
    }
  };

  struct Huber {
    using Attributes = HuberAttributes;
    static constexpr int reads_a = kA | kB, reads_b = kA | kB;
    template <class T>
    static T value(T prediction, T target, const Attributes& a) {
      const T error = abs(prediction - target);
      return where(error <= a.delta, 0.5 * square(error), a.delta * (error - 0.5 * a.delta));
    }
    template <class T>
    static T partial_a(T prediction, T target, T, const Attributes& a) {
      const T error = prediction - target;
      return where(abs(error) <= a.delta, error, a.delta * sign(error));
    }
    template <class T>
    static T partial_b(T prediction, T target, T y, const Attributes& a) {
      return partial_a(target, prediction, y, a);
    }
  };

  struct SmoothL1Attributes {
    double beta = 1;
    Reduction reduction = Reduction::kMean;
    template <class Self, class V>
    static void visit(Self& self, V&& v) {
      v("beta", self.beta);
      v("reduction", self.reduction);
    }
  };

  struct SmoothL1 {
    using Attributes = SmoothL1Attributes;
    static constexpr int reads_a = kA | kB, reads_b = kA | kB;
    template <class T>
    static T value(T prediction, T target, const Attributes& a) {
      const T error = abs(prediction - target);
      return where(error <= a.beta, 0.5 * error * (error / a.beta), error - 0.5 * a.beta);
    }
    template <class T>
    static T partial_a(T prediction, T target, T, const Attributes& a) {
      const T error = prediction - target;
      return where(abs(error) <= a.beta, error / a.beta, sign(error));
    }
    template <class T>
    static T partial_b(T prediction, T target, T y, const Attributes& a) {
      return partial_a(target, prediction, y, a);
    }
  };

}  // WENGERT_FORMULAS

WENGERT_LOSS(huber_loss, Huber)
WENGERT_LOSS(smooth_l1_loss, SmoothL1)

#ifdef WENGERT_RECORDS
#include <cmath>

#include "wengert/graph/text.h"

namespace wengert {
namespace ops {
namespace {

void infer_huber(InferContext& call) {
  const auto& attributes = call.attributes<formulas::HuberAttributes>();
  if (!(attributes.delta > 0) || std::isinf(attributes.delta)) {
    call.fail(ErrorKind::kValue, "delta must be positive, got " + format_number(attributes.delta),
              "delta is the error from which on the loss grows linearly");
  }
  infer_loss_of_elements(call, attributes.reduction);
}

constexpr OpDef huber_record(const Documentation& doc) {
  OpDef def = loss_of_elements<formulas::Huber, huber_loss_elementwise>("huber_loss", doc);
  def.infer = infer_huber;
  return def;
}

void infer_smooth_l1(InferContext& call) {
  const auto& attributes = call.attributes<formulas::SmoothL1Attributes>();
  if (!(attributes.beta > 0) || std::isinf(attributes.beta)) {
    call.fail(ErrorKind::kValue, "beta must be positive, got " + format_number(attributes.beta),
              "beta is the error from which on the slope is 1; mean_absolute_error has none");
  }
  infer_loss_of_elements(call, attributes.reduction);
}

constexpr OpDef smooth_l1_record(const Documentation& doc) {
  OpDef def =
      loss_of_elements<formulas::SmoothL1, smooth_l1_loss_elementwise>("smooth_l1_loss", doc);
  def.infer = infer_smooth_l1;
  return def;
}

}  // namespace

constinit const OpDef huber_loss_op = huber_record(
    {.summary = "Squared error near the target, linear from delta on: outliers pull no harder.",
     .formula =
         "y = (1/n)·Σ { e²/2 where |e| ≤ δ, δ·(|e| − δ/2) elsewhere }, e = prediction − target",
     .arguments = "prediction, target: float32 or float64 of one dtype and shape; delta δ > 0; "
                  "reduction and weights as in mean_squared_error",
     .gradient = "∂prediction: e/n, or δ·sign(e)/n beyond δ; ∂target: its negative",
     .source = "P. J. Huber, Robust estimation of a location parameter, 1964"});

constinit const OpDef smooth_l1_loss_op = smooth_l1_record(
    {.summary = "Absolute error whose kink is rounded off: the Huber loss over its δ.",
     .formula = "y = (1/n)·Σ { e²/(2β) where |e| ≤ β, |e| − β/2 elsewhere }, e = prediction − "
                "target",
     .arguments = "prediction, target: float32 or float64 of one dtype and shape; beta β > 0; "
                  "reduction and weights as in mean_squared_error",
     .gradient = "∂prediction: e/(βn), or sign(e)/n beyond β; ∂target: its negative",
     .source = "R. Girshick, Fast R-CNN, 2015, eq. 3"});

}  // namespace ops

Var smooth_l1_loss(const Var& prediction, const Var& target, double beta, Reduction reduction,
                   const Var& weights, std::source_location where) {
  return apply(ops::smooth_l1_loss_op, {&prediction, &target, &weights},
               ops::formulas::SmoothL1Attributes{beta, reduction}, where);
}

Var huber_loss(const Var& prediction, const Var& target, double delta, Reduction reduction,
               const Var& weights, std::source_location where) {
  return apply(ops::huber_loss_op, {&prediction, &target, &weights},
               ops::formulas::HuberAttributes{delta, reduction}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(huber_loss) {
  constexpr double kDelta = 0.75;
  OpTests tests = loss_of_elements_tests(
      [](const wengert::Var& a, const wengert::Var& b, wengert::Reduction r, const wengert::Var& w,
         std::source_location where) { return wengert::huber_loss(a, b, kDelta, r, w, where); },
      [](double p, double t) {
        const double e = std::fabs(p - t);
        return e <= kDelta ? e * e / 2 : kDelta * e - kDelta * kDelta / 2;
      },
      -3, 3);
  mark_kinks(tests, [](double p, double t) { return std::fabs(p - t) - kDelta; });
  for (Sample& sample : tests.samples) sample.scale = 6;
  const auto special = [&](double p, double t, double value, double gradient) {
    tests.specials.push_back({{p, t}, value, {gradient, -gradient}});
  };
  special(1, 1, 0, 0);
  special(1.5, 1, 0.125, 0.5);
  special(1.75, 1, 0.28125, 0.75);  // |e| = δ
  special(1e4, 1, 7498.96875, 0.75);
  special(-1e4, 0, 7499.71875, -0.75);
  special(kInfinity, 0, kInfinity, 0.75);
  const auto with = [](double delta) {
    return [=] { (void)wengert::huber_loss(Tensor::zeros({2}), Tensor::zeros({2}), delta); };
  };
  tests.rejected.push_back(
      {"delta 0", with(0), wengert::ErrorKind::kValue, "delta must be positive, got 0"});
  tests.rejected.push_back(
      {"delta NaN", with(kNan), wengert::ErrorKind::kValue, "delta must be positive, got nan"});
  return tests;
}

WENGERT_OP_TESTS(smooth_l1_loss) {
  constexpr double kBeta = 0.75;
  OpTests tests = loss_of_elements_tests(
      [](const wengert::Var& a, const wengert::Var& b, wengert::Reduction r, const wengert::Var& w,
         std::source_location where) { return wengert::smooth_l1_loss(a, b, kBeta, r, w, where); },
      [](double p, double t) {
        const double e = std::fabs(p - t);
        return e <= kBeta ? e * e / (2 * kBeta) : e - kBeta / 2;
      },
      -3, 3);
  mark_kinks(tests, [](double p, double t) { return std::fabs(p - t) - kBeta; });
  for (Sample& sample : tests.samples) sample.scale = 6;
  const auto special = [&](double p, double t, double value, double gradient) {
    tests.specials.push_back({{p, t}, value, {gradient, -gradient}});
  };
  special(1, 1, 0, 0);
  special(1.75, 1, 0.375, 1);  // |e| = β
  special(1.375, 1, 0.09375, 0.5);
  special(1e4, 1, 9998.625, 1);
  special(-1e4, 0, 9999.625, -1);
  special(kInfinity, 0, kInfinity, 1);
  const auto with = [](double beta) {
    return [=] { (void)wengert::smooth_l1_loss(Tensor::zeros({2}), Tensor::zeros({2}), beta); };
  };
  tests.rejected.push_back(
      {"beta 0", with(0), wengert::ErrorKind::kValue, "beta must be positive, got 0"});
  tests.rejected.push_back(
      {"beta NaN", with(kNan), wengert::ErrorKind::kValue, "beta must be positive, got nan"});
  return tests;
}
#endif
