#pragma once

#include <source_location>
#include <span>

#include "wengert/graph/op.h"
#include "wengert/graph/var.h"

// Plain numbers among an op's operands. Private to the library.
namespace wengert::detail {

/// A number as a scalar of `dtype`. Throws Error(kDType) of `op` where the dtype cannot hold it.
Var number_as(const Value& number, DType dtype, const OpDef& op, std::source_location where);

/// The dtype that the numbers among `values` take: that of the first tensor beside them (a bool one
/// only if there is no other), or, among numbers alone, int64, or float64 if one is fractional.
DType dtype_of_numbers(std::span<Value* const> values, const OpDef& op);

/// What an elementwise op gives of numbers alone: a number.
Var compute_numbers(const OpDef& op, std::span<Value* const> numbers, const void* attributes,
                    std::source_location where);

}  // namespace wengert::detail
