#pragma once

#include <source_location>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/pass.h"

namespace wengert::optim {

/// Runs passes over finished gradients: each parameter's gradient is a root of its name. Whether
/// any changed one. Throws Error(kGraph) when a pass took away, added or reordered roots.
WENGERT_API bool run_on_gradients(const PassPipeline& passes, Gradients& gradients,
                                  PassContext& context,
                                  std::source_location where = std::source_location::current());

}  // namespace wengert::optim
