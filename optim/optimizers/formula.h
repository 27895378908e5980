#pragma once

// Private to the library.

// What the file of an optimizer includes. It is compiled five times: once for each CPU level with
// WENGERT_LEVEL set (its formulas become kernels), with WENGERT_RECORDS for the record and the
// class, and with WENGERT_TESTS for the testing library.
//
// A formula is a struct over vector lanes T:
//   struct Numbers { … };                 what it needs beside tensors, in double
//   static constexpr int slots = 2;       tensors of θ's shape that it keeps
//   template <class T>                    one vector of θ, of its gradient and of each slot
//   static void update(T& w, T g, T& m, T& s, const Numbers& k);
// Numbers are converted to θ's dtype where they meet lanes. A formula that must know sums over the
// whole tensor first states them, and measures them in a pass before:
//   static constexpr int sums = 2;
//   template <class T>                    here the slots change, θ does not
//   static void measure(T w, T g, T& m, T& s, const Numbers& k, T& first, T& second);
//   template <class T>                    here θ changes, the slots do not
//   static void update(T& w, T g, T& m, T& s, const Numbers& k);
// first and second are the terms of this element; their sums come to the file's record, which
// completes the Numbers of `update` (run_update in record.h).

#if defined(WENGERT_LEVEL)
#include "wengert/optim/optimizers/kernels.h"
#elif defined(WENGERT_RECORDS)
#include "wengert/optim/optimizers/record.h"
#elif defined(WENGERT_TESTS)
#include "wengert/optim/testing.h"
#define WENGERT_UPDATES namespace wengert::optim::updates
#define WENGERT_UPDATE(name, ...)
#else
#error \
    "compile this file through the build: it needs WENGERT_LEVEL, WENGERT_RECORDS or WENGERT_TESTS"
#endif
