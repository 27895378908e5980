#pragma once

// Private to the library.

#include <string_view>

#include "wengert/graph/pass.h"

namespace wengert::optim {

/// squares·Σw² + magnitudes·Σ|w| over all chosen parameters. A factor of 0 leaves its sum out.
struct PenaltyTerms {
  double squares = 0;
  double magnitudes = 0;
};

/// The work of a pass over the loss: adds the penalty of the trained parameters that `filter`
/// accepts, recorded in a scope of the pass's name, and says for each what it adds. Whether there
/// was anything to add. Throws Error(kGraph) where the roots name no parameters.
bool add_penalty(std::string_view pass, const PenaltyTerms& terms, const ParameterFilter& filter,
                 Roots& roots, PassContext& context);

}  // namespace wengert::optim
