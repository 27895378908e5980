#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct LogicalAnd {
    template <class T>
    static auto value(T a, T b) {
      return not_equal(a, 0.0) && not_equal(b, 0.0);
    }
  };

  struct LogicalOr {
    template <class T>
    static auto value(T a, T b) {
      return not_equal(a, 0.0) || not_equal(b, 0.0);
    }
  };

  struct LogicalXor {
    template <class T>
    static auto value(T a, T b) {
      return not_equal(a, b);
    }
  };

  struct LogicalNot {
    template <class T>
    static auto value(T x) {
      return equal(x, 0.0);
    }
  };

}  // WENGERT_FORMULAS

WENGERT_PREDICATE2(logical_and, LogicalAnd, Bools)
WENGERT_PREDICATE2(logical_or, LogicalOr, Bools)
WENGERT_PREDICATE2(logical_xor, LogicalXor, Bools)
WENGERT_PREDICATE1(logical_not, LogicalNot, Bools)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef logical_and_op =
    binary<formulas::LogicalAnd>("logical_and", logical_and_elementwise,
                                 {.summary = "Whether both hold.",
                                  .formula = "y = a ∧ b",
                                  .arguments = "a, b: bool, broadcast together",
                                  .gradient = "none: the result is bool",
                                  .source = "elementary"});

constinit const OpDef logical_or_op =
    binary<formulas::LogicalOr>("logical_or", logical_or_elementwise,
                                {.summary = "Whether at least one holds.",
                                 .formula = "y = a ∨ b",
                                 .arguments = "a, b: bool, broadcast together",
                                 .gradient = "none: the result is bool",
                                 .source = "elementary"});

constinit const OpDef logical_xor_op =
    binary<formulas::LogicalXor>("logical_xor", logical_xor_elementwise,
                                 {.summary = "Whether exactly one holds.",
                                  .formula = "y = a ⊕ b",
                                  .arguments = "a, b: bool, broadcast together",
                                  .gradient = "none: the result is bool",
                                  .source = "elementary"});

constinit const OpDef logical_not_op =
    unary<formulas::LogicalNot>("logical_not", logical_not_elementwise,
                                {.summary = "Negation of a truth value.",
                                 .formula = "y = ¬x",
                                 .arguments = "x: bool",
                                 .gradient = "none: the result is bool",
                                 .source = "elementary"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/ops.h"

namespace {

using wengert::testing::OpTests;
using wengert::testing::Sample;

/// Every pair of truth values, and lengths around a vector's, broadcast.
OpTests logic_tests(wengert::testing::BinaryCall op, bool (*reference)(bool, bool)) {
  using namespace wengert;
  OpTests tests;
  tests.order = 0;
  const Tensor both = Tensor::from<bool>({false, true}, {2});
  const Tensor many = less(testing::spread({67}, 0.0, 1.0), 0.5).value();
  const Tensor others = less(testing::spread({3, 67}, 0.0, 1.0, 2), 0.4).value();
  for (const auto& [a, b] : {std::pair{both, both.reshaped({2, 1})},
                             {many, others},
                             {others, Tensor::full({}, 1, DType::kBool)},
                             {Tensor::zeros({0, 2}, DType::kBool), both}}) {
    Sample sample;
    sample.name = to_string(a.shape()) + " with " + to_string(b.shape());
    sample.inputs = {a, b};
    sample.smooth = false;
    sample.call = [op](std::span<const Var> x) {
      return std::vector<Var>{op(x[0], x[1], std::source_location::current())};
    };
    sample.reference = [reference](std::span<const Tensor> x) {
      const auto f = [reference](std::span<const double> v) {
        return reference(v[0] != 0, v[1] != 0) ? 1.0 : 0.0;
      };
      return std::vector<Tensor>{testing::map(x, f, DType::kBool)};
    };
    tests.samples.push_back(std::move(sample));
  }
  const auto at = std::source_location::current();
  const Tensor floats = Tensor::full({2}, 1, DType::kFloat32);
  tests.rejected = {{"float32", [=] { return op(floats, floats, at); }, ErrorKind::kDType,
                     "not defined for f32[2]"},
                    {"mixed", [=] { return op(both, floats, at); }, ErrorKind::kDType,
                     "mixed dtypes: bool[2] and f32[2]"},
                    {"sizes", [=] { return op(both, Tensor::zeros({3}, DType::kBool), at); },
                     ErrorKind::kShape, "shapes do not broadcast: bool[2] and bool[3] (2 vs 3)"},
                    {"empty Var", [=] { return op(both, Var(), at); }, ErrorKind::kGraph,
                     "input 1 is an empty Var"}};
  return tests;
}

}  // namespace

WENGERT_OP_TESTS(logical_and) {
  return logic_tests(wengert::logical_and, [](bool a, bool b) { return a && b; });
}

WENGERT_OP_TESTS(logical_or) {
  return logic_tests(wengert::logical_or, [](bool a, bool b) { return a || b; });
}

WENGERT_OP_TESTS(logical_xor) {
  return logic_tests(wengert::logical_xor, [](bool a, bool b) { return a != b; });
}

WENGERT_OP_TESTS(logical_not) {
  OpTests tests;
  tests.order = 0;
  for (const Tensor& x :
       {Tensor::from<bool>({false, true}, {2}), Tensor::zeros({}, DType::kBool),
        Tensor::zeros({0}, DType::kBool), less(spread({3, 67}, 0.0, 1.0), 0.5).value()}) {
    Sample sample;
    sample.name = to_string(x.shape());
    sample.inputs = {x};
    sample.smooth = false;
    sample.call = [](std::span<const Var> v) { return std::vector<Var>{logical_not(v[0])}; };
    sample.reference = [](std::span<const Tensor> v) {
      const auto f = [](std::span<const double> e) { return 1.0 - e[0]; };
      return std::vector<Tensor>{map(v, f, DType::kBool)};
    };
    tests.samples.push_back(std::move(sample));
  }
  tests.rejected = {{"float32", [] { return logical_not(Tensor::full({2}, 1, DType::kFloat32)); },
                     ErrorKind::kDType, "not defined for f32[2]"},
                    {"int64",
                     [] {
                       return logical_not(Tensor::full({2, 3}, 1, DType::kInt64));
                     },
                     ErrorKind::kDType, "not defined for i64[2,3]"},
                    {"empty Var", [] { return logical_not(Var()); }, ErrorKind::kGraph,
                     "input 0 is an empty Var"}};
  return tests;
}
#endif
