#include "wengert/graph/exact_number.h"
#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct ClipBounds {
    ExactNumber low, high;
    template <class Self, class V>
    static void visit(Self& self, V&& v) {
      v("low", self.low);
      v("high", self.high);
    }
  };

#ifdef WENGERT_LEVEL
  /// `bound` as a T; beyond what an integer type holds it is the type's own end.
  template <class T>
  inline Lanes<T> bound_as(Lanes<T> x, const ExactNumber& number) {
    const double bound = number.real();
    if constexpr (std::is_integral_v<T>) {
      if (sizeof(T) == 8 && number.is_beyond_reals()) return Lanes<T>::splat(number.integer());
      constexpr int kBits = sizeof(T) * 8 - (std::is_signed_v<T> ? 1 : 0);
      constexpr T kMost = static_cast<T>(~0ull >> (64 - kBits));
      constexpr T kLeast = std::is_signed_v<T> ? static_cast<T>(-kMost - 1) : T(0);
      constexpr double kEnd = sizeof(T) == 8 ? 0x1p63 : static_cast<double>(kMost);
      if (bound >= kEnd) return Lanes<T>::splat(kMost);
      if (bound <= static_cast<double>(kLeast)) return Lanes<T>::splat(kLeast);
    }
    return like(x, bound);
  }
#endif

  struct Clip {
    using Attributes = ClipBounds;
    static constexpr int reads = kX;
    template <class T>
    static T value(T x, const Attributes& bounds) {
      const T low = bound_as(x, bounds.low), high = bound_as(x, bounds.high);
      return where(x < low, low, where(x > high, high, x));  // in this order NaN stays NaN
    }
    template <class T>
    static T partial(T x, T, const Attributes& bounds) {
      const T one = like(x, 1.0), zero = like(x, 0.0);
      const double low = bounds.low.real(), high = bounds.high.real();
      return where(x < low, zero, where(x <= high, one, where(x > high, zero, x)));
    }
  };

}  // WENGERT_FORMULAS

WENGERT_UNARY(clip, Clip, Numbers)

#ifdef WENGERT_RECORDS
#include <cmath>

namespace wengert {
namespace ops {
namespace {

void check_clip(const OpCall& call) {
  const auto [low, high] = call.attributes<formulas::ClipBounds>();
  if (!(low <= high)) {
    call.fail(ErrorKind::kValue,
              std::isnan(low.real()) || std::isnan(high.real()) ? "a bound is NaN"
                                                                : "low lies above high",
              "clip(x, low, high) needs low ≤ high; −∞ and ∞ leave a side open");
  }
  if (is_integer(call.dtype(0))) {
    for (double bound : {low.real(), high.real()}) {
      if (std::isfinite(bound) && bound != std::trunc(bound)) {
        call.fail(ErrorKind::kValue, "a fractional bound for " + call.describe(0),
                  "round the bounds, or cast x to float32");
      }
    }
  }
}

constexpr OpDef clip_record(const Documentation& doc) {
  OpDef def = unary<formulas::Clip>("clip", clip_elementwise, doc);
  def.check = check_clip;
  return def;
}

}  // namespace

constinit const OpDef clip_op = clip_record(
    {.summary = "Limits every element to a range.",
     .formula = "y = min(max(x, low), high)",
     .arguments = "x: any floating or integer tensor; low ≤ high, whole numbers for integers; −∞ "
                  "and ∞ leave a side open; NaN stays NaN",
     .gradient = "∂y/∂x = 1 where low ≤ x ≤ high, the bounds included, else 0; NaN at NaN",
     .source = "elementary"});

}  // namespace ops

Var clip(const Var& x, ExactNumber low, ExactNumber high, std::source_location where) {
  return apply(ops::clip_op, {&x}, ops::formulas::ClipBounds{low, high}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/ops.h"

namespace {

wengert::Var clip_to_two(const wengert::Var& x, std::source_location where) {
  return wengert::clip(x, -1.0, 2.0, where);
}
wengert::Var clip_open(const wengert::Var& x, std::source_location where) {
  return wengert::clip(x, -wengert::testing::kInfinity, wengert::testing::kInfinity, where);
}

}  // namespace

WENGERT_OP_TESTS(clip) {
  const auto reference = [](double x) { return std::fmin(std::fmax(x, -1.0), 2.0); };
  OpTests tests = unary_tests(clip_to_two, reference, -0.98, 1.98);
  for (Sample& outside : unary_tests(clip_to_two, reference, 2.02, 5.0).samples) {
    outside.name += " above";
    tests.samples.push_back(std::move(outside));
  }
  tests.specials = {{{0.0}, 0.0, {1.0}},
                    {{-0.0}, -0.0, {1.0}},
                    {{1e-300}, 1e-300, {1.0}},
                    {{-1.0}, -1.0, {1.0}},
                    {{2.0}, 2.0, {1.0}},
                    {{2.0000000000000004}, 2.0, {0.0}},
                    {{-1.0000000000000002}, -1.0, {0.0}},
                    {{1e308}, 2.0, {0.0}},
                    {{-1e308}, -1.0, {0.0}},
                    {{kInfinity}, 2.0, {0.0}},
                    {{-kInfinity}, -1.0, {0.0}},
                    {{kNan}, kNan, {kNan}}};
  add_integer_samples(tests, clip_open, [](double x) { return x; });
  tests.rejected = number_rejections(clip_to_two);
  const Tensor x = Tensor::full({2}, 1, DType::kFloat32), whole = Tensor::from({1, 2}, {2});
  tests.rejected.push_back(
      {"order", [=] { return clip(x, 1.0, 0.0); }, ErrorKind::kValue, "low lies above high"});
  tests.rejected.push_back(
      {"NaN", [=] { return clip(x, kNan, 0.0); }, ErrorKind::kValue, "a bound is NaN"});
  tests.rejected.push_back({"fraction", [=] { return clip(whole, 0.5, 2.0); }, ErrorKind::kValue,
                            "a fractional bound for i32[2]"});
  return tests;
}
#endif
