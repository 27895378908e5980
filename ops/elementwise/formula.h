#pragma once

// Private to the library.

// What an elementwise op file includes. Such a file is compiled five times:
//   three times with WENGERT_LEVEL set: its formulas become kernels of that CPU level;
//   once with WENGERT_RECORDS: its formulas over Var become the recorded derivative, and the op's
//     record is defined;
//   once with WENGERT_TESTS: reference, samples and rejected inputs for the testing library.
// A formula is a struct of static templates over the scalar type T (vector lanes, or Var):
//   unary:   T value(T x);        T partial(T x, T y);
//   binary:  value(T a, T b);     T partial_a(T a, T b, T y);   T partial_b(T a, T b, T y);
//   ternary: value(T a, T b, T c), and partial_a, partial_b, partial_c of (T a, T b, T c, T y)
// with `reads` (unary) or `reads_a`, `reads_b`, `reads_c` naming what each partial really looks at,
// since nothing else is kept for backward. y is the value. A formula with attributes takes
// `const Attributes&` last and names the type.

#include "wengert/ops/elementwise/reads.h"

#if defined(WENGERT_LEVEL)
#include "wengert/ops/elementwise/kernels.h"
#elif defined(WENGERT_RECORDS)
#include "wengert/ops/elementwise/levels.h"
#include "wengert/ops/elementwise/stable_forms.h"
#elif defined(WENGERT_TESTS)
#include "wengert/graph/api.h"
#include "wengert/ops/testing.h"
#define WENGERT_FORMULAS namespace wengert::ops::formulas
// The file's own ops are all that its tests call: without ops.h a new op elsewhere leaves them be.
#define WENGERT_UNARY(name, Formula, dtypes)                \
  namespace wengert {                                       \
  WENGERT_API Var name(const Var& x, std::source_location); \
  }
#define WENGERT_BINARY(name, Formula, dtypes)                             \
  namespace wengert {                                                     \
  WENGERT_API Var name(const Var& a, const Var& b, std::source_location); \
  }
#define WENGERT_TERNARY(name, Formula, dtypes)                                          \
  namespace wengert {                                                                   \
  WENGERT_API Var name(const Var& a, const Var& b, const Var& c, std::source_location); \
  }
#define WENGERT_PREDICATE1(name, Formula, dtypes) WENGERT_UNARY(name, Formula, dtypes)
#define WENGERT_PREDICATE2(name, Formula, dtypes) WENGERT_BINARY(name, Formula, dtypes)
#else
#error \
    "compile this file through the build: it needs WENGERT_LEVEL, WENGERT_RECORDS or WENGERT_TESTS"
#endif
