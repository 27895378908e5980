#pragma once

// Private to the library.

#include <cstdint>
#include <functional>
#include <source_location>

#include "wengert/nn/linear.h"

namespace wengert::detail {

/// linear() with weights as `change`, where there is one, makes them of its own.
Var linear_with(ParameterSet& parameters, const ScopeName& name, const Var& x, std::int64_t outputs,
                const LinearOptions& options, const std::function<Var(const Var&)>& change,
                std::source_location where);

}  // namespace wengert::detail
