#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {

struct Equal {
  template <class T>
  static auto value(T a, T b) {
    return equal(a, b);
  }
};

struct Greater {
  template <class T>
  static auto value(T a, T b) {
    return a > b;
  }
};

}  // WENGERT_FORMULAS

WENGERT_PREDICATE2(equal, Equal, Everything)
WENGERT_PREDICATE2(greater, Greater, Everything)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef equal_op = binary<formulas::Equal>(
    "equal", equal_elementwise,
    {.summary = "Whether a equals b.",
     .formula = "y = a == b",
     .arguments = "a, b: any dtype, both the same, broadcast together; NaN equals nothing",
     .gradient = "none: the result is bool",
     .source = "IEEE 754-2019 §5.11"});

constinit const OpDef greater_op = binary<formulas::Greater>(
    "greater", greater_elementwise,
    {.summary = "Whether a is greater than b.",
     .formula = "y = a > b",
     .arguments = "a, b: any dtype, both the same, broadcast together; NaN compares false",
     .gradient = "none: the result is bool",
     .source = "IEEE 754-2019 §5.11"});

}  // namespace wengert::ops
#endif
