#pragma once

// Private to the library.

// What an op file without elementwise formulas includes. It is compiled twice: with
// WENGERT_RECORDS for the record and the call, and with WENGERT_TESTS for the testing library.
// Private to the library.
#if defined(WENGERT_RECORDS)
#include "wengert/graph/op.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"
#include "wengert/ops/records.h"
#elif defined(WENGERT_TESTS)
#include "wengert/ops/ops.h"
#include "wengert/ops/testing.h"
#else
#error "compile this file through the build: it needs WENGERT_RECORDS or WENGERT_TESTS"
#endif
