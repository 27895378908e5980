#pragma once

// Private to the library.

// What the file of an elementwise loss includes; it is compiled as ops/elementwise/formula.h says.
// A loss is the formula of a binary elementwise op of prediction and target, whose partials read
// these two alone. One with attributes has `Reduction reduction` among them.

#include "wengert/ops/elementwise/formula.h"
#include "wengert/ops/loss/reduction.h"

#if defined(WENGERT_LEVEL)
#define WENGERT_LOSS(name, Formula) WENGERT_BINARY(name, Formula, Floats)
#elif defined(WENGERT_RECORDS)
#include "wengert/ops/elementwise_loss/record.h"
#define WENGERT_LOSS(name, Formula) WENGERT_BINARY(name, Formula, Floats)
#else
#include "wengert/ops/elementwise_loss/loss_samples.h"
#include "wengert/ops/ops.h"
#define WENGERT_LOSS(name, Formula)
#endif
