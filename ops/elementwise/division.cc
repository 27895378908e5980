#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
#ifdef WENGERT_LEVEL
  /// Where the remainder `r` that goes with a quotient rounded towards 0 lies on a's side, not b's.
  template <class T>
  inline auto other_side(Lanes<T> r, Lanes<T> b) {
    return (r < 0.0 && b > 0.0) || (r > 0.0 && b < 0.0);
  }

  /// a − b·⌊a/b⌋ without rounding: the exact remainder, moved to b's sign.
  template <class T>
  inline Lanes<T> mod(Lanes<T> a, Lanes<T> b) {
    const Lanes<T> r = fmod(a, b);
    return where(equal(r, 0.0), copysign(r, b), where(other_side(r, b), r + b, r));
  }

  /// (a − r)/b is whole but for rounding, so the nearest integer is the quotient; one less where
  /// the remainder moves to b's side.
  template <class T>
  inline Lanes<T> floor_divide(Lanes<T> a, Lanes<T> b) {
    const Lanes<T> r = fmod(a, b);
    const Lanes<T> towards_zero = round((a - r) / b);
    const Lanes<T> whole = where(other_side(r, b), towards_zero - 1.0, towards_zero);
    return where(equal(b, 0.0), a / b, where(equal(whole, 0.0), copysign(whole, a / b), whole));
  }
#endif

  struct Mod {
    static constexpr int reads_a = kNone, reads_b = kA | kB;
    static constexpr bool passes_a = true;
    template <class T>
    static T value(T a, T b) {
      return mod(a, b);
    }
    template <class T>
    static double partial_a(T, T, T) {
      return 1.0;
    }
    template <class T>
    static T partial_b(T a, T b, T) {
      return -floor_divide(a, b);
    }
  };

  struct FloorDivide {
    static constexpr int reads_a = kNone, reads_b = kNone;
    template <class T>
    static T value(T a, T b) {
      return floor_divide(a, b);
    }
    template <class T>
    static double partial_a(T, T, T) {
      return 0.0;
    }
    template <class T>
    static double partial_b(T, T, T) {
      return 0.0;
    }
  };

}  // WENGERT_FORMULAS

WENGERT_BINARY(mod, Mod, Floats)
WENGERT_BINARY(floor_divide, FloorDivide, Floats)

#ifdef WENGERT_RECORDS
#include "wengert/ops/kernels/strided.h"

namespace wengert::ops {
namespace {

// Integers have no kernels of a CPU level (no CPU divides integers in vectors); a divisor of 0 is
// looked for before anything is written.

struct IntegerMod {
  template <class T>
  static T of(T a, T b) {
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return 0;  // the smallest integer % −1 traps
    }
    const T r = static_cast<T>(a % b);
    return r != 0 && (r < 0) != (b < 0) ? static_cast<T>(r + b) : r;
  }
};

struct IntegerFloorDivide {
  template <class T>
  static T of(T a, T b) {
    if constexpr (std::is_signed_v<T>) {
      using Unsigned = std::make_unsigned_t<T>;
      if (b == -1) return static_cast<T>(Unsigned{0} - static_cast<Unsigned>(a));  // wraps
    }
    const T q = static_cast<T>(a / b);
    return a % b != 0 && (a < 0) != (b < 0) ? static_cast<T>(q - 1) : q;
  }
};

void infer_division(InferContext& call) {
  if (!is_integer(call.dtype(0))) return infer_elementwise(call);
  call.require_same_dtype(0, 1);
  call.output(call.dtype(0), broadcast_shape(call, 0, 1));
}

template <class F, class T>
void divide_integers(EvalContext& call) {
  const TensorView views[] = {call.input(0), call.input(1)};
  const TensorView out = call.output();
  const kernels::LoopNest nest = kernels::plan(out.shape(), views);
  const std::int64_t inner = nest.inner(), outer = nest.outer();
  if (inner == 0 || outer == 0) return;
  const std::int64_t step_a = nest.inner_stride(0), step_b = nest.inner_stride(1);
  for (std::int64_t o = 0; o < outer; ++o) {
    std::int64_t at[2];
    kernels::offsets_at(nest, o, at);
    const T* a = views[0].as<T>() + at[0];
    const T* b = views[1].as<T>() + at[1];
    T* to = out.as<T>() + o * inner;
    for (std::int64_t i = 0; i < inner; ++i) {
      if (b[i * step_b] == 0) {
        call.fail(ErrorKind::kValue, "integer division by zero: " + call.describe(1) + " holds a 0",
                  "cast to float32 for ±∞ and NaN, or choose a divisor with where(b != 0, b, 1)");
      }
      to[i] = F::of(a[i * step_a], b[i * step_b]);
    }
  }
}

template <class F>
void evaluate_division(EvalContext& call) {
  switch (call.dtype(0)) {
    case DType::kInt32:
      return divide_integers<F, std::int32_t>(call);
    case DType::kInt64:
      return divide_integers<F, std::int64_t>(call);
    case DType::kUint8:
      return divide_integers<F, std::uint8_t>(call);
    default:
      return evaluate_elementwise(call);
  }
}

template <class Formula, class IntegerFormula>
constexpr OpDef division(std::string_view name, const ElementwiseOp& op, const Documentation& doc) {
  OpDef def = binary<Formula>(name, op, doc);
  def.infer = infer_division;
  def.evaluate = evaluate_division<IntegerFormula>;
  return def;
}

}  // namespace

constinit const OpDef mod_op = division<formulas::Mod, IntegerMod>(
    "mod", mod_elementwise,
    {.summary = "Remainder with the sign of the divisor, as Python's %.",
     .formula = "y = a − b·⌊a/b⌋, exact but for the last addition",
     .arguments = "a, b: float32, float64 or integer tensors of one dtype, broadcast together; "
                  "floats: NaN for b = 0 or infinite a; integers: a divisor of 0 is an error",
     .gradient = "∂y/∂a = 1, ∂y/∂b = −⌊a/b⌋; at the jumps (a a multiple of b) the value from the "
                 "right",
     .source = "Python language reference, binary arithmetic operations"});

constinit const OpDef floor_divide_op = division<formulas::FloorDivide, IntegerFloorDivide>(
    "floor_divide", floor_divide_elementwise,
    {.summary = "Quotient rounded down, as Python's //.",
     .formula = "y = ⌊a/b⌋, of the exact quotient",
     .arguments = "a, b: float32, float64 or integer tensors of one dtype, broadcast together; "
                  "floats: a/b for b = 0; integers: a divisor of 0 is an error, and the smallest "
                  "integer by −1 wraps to itself",
     .gradient = "∂y/∂a = ∂y/∂b = 0 everywhere, at the jumps too",
     .source = "Python language reference, binary arithmetic operations"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
namespace {

using wengert::testing::Rejected;

std::vector<Rejected> division_rejections(wengert::testing::BinaryCall op) {
  using namespace wengert;
  std::vector<Rejected> all = testing::number_rejections(op);
  const auto at = std::source_location::current();
  all.push_back({"int32 by zero",
                 [=] {
                   return op(Tensor::from({1, 2}, {2}), Tensor::from({3, 0}, {2}), at);
                 },
                 ErrorKind::kValue, "integer division by zero: i32[2] holds a 0"});
  all.push_back({"uint8 by zero", [=] { return op(Tensor::full({3}, 9, DType::kUint8), 0, at); },
                 ErrorKind::kValue, "integer division by zero: u8[] holds a 0"});
  return all;
}

/// Adds what the smallest integers do with −1, where the CPU's division traps.
template <class T>
void add_smallest(wengert::testing::OpTests& tests, wengert::testing::BinaryCall op, T expected) {
  using namespace wengert;
  testing::Sample sample;
  sample.name = "smallest " + std::string(name_of(dtype_of<T>)) + " by −1";
  const T smallest = std::numeric_limits<T>::min();
  sample.inputs = {Tensor::from<T>({smallest, smallest}, {2}), Tensor::from<T>({-1}, {1})};
  sample.smooth = false;
  sample.call = [op](std::span<const Var> x) {
    return std::vector<Var>{op(x[0], x[1], std::source_location::current())};
  };
  sample.reference = [expected](std::span<const Tensor>) {
    return std::vector<Tensor>{Tensor::from<T>({expected, expected}, {2})};
  };
  tests.samples.push_back(std::move(sample));
}

}  // namespace

WENGERT_OP_TESTS(mod) {
  // Between multiples: a/b stays within (2, 3).
  OpTests tests = binary_tests(
      wengert::mod, [](double a, double b) { return a - b * std::floor(a / b); }, 6.2, 7.4, 2.6,
      2.9);
  tests.specials = {
      {{7.0, 3.0}, 1.0, {1.0, -2.0}},        {{-7.0, 3.0}, 2.0, {1.0, 3.0}},
      {{7.0, -3.0}, -2.0, {1.0, 3.0}},       {{-7.0, -3.0}, -1.0, {1.0, -2.0}},
      {{6.0, 3.0}, 0.0, {1.0, -2.0}},        {{-6.0, 3.0}, 0.0, {1.0, 2.0}},
      {{0.0, 3.0}, 0.0, {1.0, -0.0}},        {{-0.0, 3.0}, 0.0, {1.0, 0.0}},
      {{0.0, -3.0}, -0.0, {1.0, 0.0}},       {{1e308, 3.0}, 2.0, {1.0, -3.3333333333333333e307}},
      {{1e-300, 3.0}, 1e-300, {1.0, -0.0}},  {{-1e-300, 3.0}, 3.0, {1.0, 1.0}},
      {{1.0, 0.0}, kNan, {1.0, -kInfinity}}, {{kInfinity, 3.0}, kNan, {1.0, kNan}},
      {{2.0, kInfinity}, 2.0, {1.0, -0.0}},  {{kNan, 3.0}, kNan, {1.0, kNan}},
      {{3.0, kNan}, kNan, {1.0, kNan}}};
  add_integer_samples(tests, wengert::mod,
                      [](double a, double b) { return a - b * std::floor(a / b); });
  add_smallest<std::int32_t>(tests, wengert::mod, 0);
  add_smallest<std::int64_t>(tests, wengert::mod, 0);
  tests.rejected = division_rejections(wengert::mod);
  return tests;
}

WENGERT_OP_TESTS(floor_divide) {
  const auto reference = [](double a, double b) { return std::floor(a / b); };
  OpTests tests = binary_tests(wengert::floor_divide, reference, 6.2, 7.4, 2.6, 2.9);
  for (Sample& wide : binary_tests(wengert::floor_divide, reference, -7.4, 7.4, 0.3, 2.9).samples) {
    wide.name += ", over jumps";
    wide.smooth = false;
    tests.samples.push_back(std::move(wide));
  }
  tests.specials = {{{7.0, 3.0}, 2.0, {0.0, 0.0}},
                    {{-7.0, 3.0}, -3.0, {0.0, 0.0}},
                    {{7.0, -3.0}, -3.0, {0.0, 0.0}},
                    {{-7.0, -3.0}, 2.0, {0.0, 0.0}},
                    {{6.0, 3.0}, 2.0, {0.0, 0.0}},
                    {{1.0, 0.1}, 9.0, {0.0, 0.0}},  // 0.1 lies above 1/10
                    {{0.0, 3.0}, 0.0, {0.0, 0.0}},
                    {{-0.0, 3.0}, -0.0, {0.0, 0.0}},
                    {{1e-300, 3.0}, 0.0, {0.0, 0.0}},
                    {{-1e-300, 3.0}, -1.0, {0.0, 0.0}},
                    {{1e308, 1e-300}, kInfinity, {0.0, 0.0}},
                    {{1.0, 0.0}, kInfinity, {0.0, 0.0}},
                    {{-1.0, 0.0}, -kInfinity, {0.0, 0.0}},
                    {{0.0, 0.0}, kNan, {0.0, 0.0}},
                    {{kInfinity, 3.0}, kNan, {0.0, 0.0}},
                    {{2.0, kInfinity}, 0.0, {0.0, 0.0}},
                    {{-2.0, kInfinity}, -1.0, {0.0, 0.0}},
                    {{kNan, 3.0}, kNan, {0.0, 0.0}},
                    {{3.0, kNan}, kNan, {0.0, 0.0}}};
  add_integer_samples(tests, wengert::floor_divide,
                      [](double a, double b) { return std::floor(a / b); });
  add_smallest(tests, wengert::floor_divide, std::numeric_limits<std::int32_t>::min());
  add_smallest(tests, wengert::floor_divide, std::numeric_limits<std::int64_t>::min());
  tests.rejected = division_rejections(wengert::floor_divide);
  return tests;
}
#endif
