#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct Equal {
    template <class T>
    static auto value(T a, T b) {
      return equal(a, b);
    }
  };

  struct NotEqual {
    template <class T>
    static auto value(T a, T b) {
      return not_equal(a, b);
    }
  };

  struct Less {
    template <class T>
    static auto value(T a, T b) {
      return a < b;
    }
  };

  struct LessEqual {
    template <class T>
    static auto value(T a, T b) {
      return a <= b;
    }
  };

  struct Greater {
    template <class T>
    static auto value(T a, T b) {
      return a > b;
    }
  };

  struct GreaterEqual {
    template <class T>
    static auto value(T a, T b) {
      return a >= b;
    }
  };

}  // WENGERT_FORMULAS

WENGERT_PREDICATE2(equal, Equal, Everything)
WENGERT_PREDICATE2(not_equal, NotEqual, Everything)
WENGERT_PREDICATE2(less, Less, Everything)
WENGERT_PREDICATE2(less_equal, LessEqual, Everything)
WENGERT_PREDICATE2(greater, Greater, Everything)
WENGERT_PREDICATE2(greater_equal, GreaterEqual, Everything)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef equal_op = binary<formulas::Equal>(
    "equal", equal_elementwise,
    {.summary = "Whether a equals b.",
     .formula = "y = a == b",
     .arguments = "a, b: any dtype, both the same, broadcast together; NaN equals nothing",
     .gradient = "none: the result is bool",
     .source = "IEEE 754-2019 §5.11"});

constinit const OpDef not_equal_op = binary<formulas::NotEqual>(
    "not_equal", not_equal_elementwise,
    {.summary = "Whether a differs from b.",
     .formula = "y = a ≠ b",
     .arguments = "a, b: any dtype, both the same, broadcast together; NaN differs from "
                  "everything, itself too",
     .gradient = "none: the result is bool",
     .source = "IEEE 754-2019 §5.11"});

constinit const OpDef less_op = binary<formulas::Less>(
    "less", less_elementwise,
    {.summary = "Whether a is less than b.",
     .formula = "y = a < b",
     .arguments = "a, b: any dtype, both the same, broadcast together; NaN compares false",
     .gradient = "none: the result is bool",
     .source = "IEEE 754-2019 §5.11"});

constinit const OpDef less_equal_op = binary<formulas::LessEqual>(
    "less_equal", less_equal_elementwise,
    {.summary = "Whether a is at most b.",
     .formula = "y = a ≤ b",
     .arguments = "a, b: any dtype, both the same, broadcast together; NaN compares false",
     .gradient = "none: the result is bool",
     .source = "IEEE 754-2019 §5.11"});

constinit const OpDef greater_op = binary<formulas::Greater>(
    "greater", greater_elementwise,
    {.summary = "Whether a is greater than b.",
     .formula = "y = a > b",
     .arguments = "a, b: any dtype, both the same, broadcast together; NaN compares false",
     .gradient = "none: the result is bool",
     .source = "IEEE 754-2019 §5.11"});

constinit const OpDef greater_equal_op = binary<formulas::GreaterEqual>(
    "greater_equal", greater_equal_elementwise,
    {.summary = "Whether a is at least b.",
     .formula = "y = a ≥ b",
     .arguments = "a, b: any dtype, both the same, broadcast together; NaN compares false",
     .gradient = "none: the result is bool",
     .source = "IEEE 754-2019 §5.11"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(equal) {
  return comparison_tests(wengert::equal, [](double a, double b) { return a == b; });
}

WENGERT_OP_TESTS(not_equal) {
  return comparison_tests(wengert::not_equal, [](double a, double b) { return a != b; });
}

WENGERT_OP_TESTS(less) {
  return comparison_tests(wengert::less, [](double a, double b) { return a < b; });
}

WENGERT_OP_TESTS(less_equal) {
  return comparison_tests(wengert::less_equal, [](double a, double b) { return a <= b; });
}

WENGERT_OP_TESTS(greater) {
  return comparison_tests(wengert::greater, [](double a, double b) { return a > b; });
}

WENGERT_OP_TESTS(greater_equal) {
  return comparison_tests(wengert::greater_equal, [](double a, double b) { return a >= b; });
}
#endif
