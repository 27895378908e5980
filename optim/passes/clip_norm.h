#pragma once

// Private to the library.

#include <string_view>
#include <vector>

#include "wengert/graph/pass.h"

namespace wengert::optim {

/// Gradients that are measured together, and what messages call them.
struct ClippedGroup {
  std::string_view subject;   ///< "all gradients", or a parameter's name
  std::string_view reported;  ///< the name under which its norm is reported
  std::vector<Roots::Root*> roots;
};

/// The work of a pass over gradients: scales those of each group by min(1, limit/‖g‖), ‖g‖ over the
/// group, recorded where they are. A norm that is not finite is said and changes nothing. Whether
/// anything changed. Nothing is written where something fails.
bool clip_norms(const char* pass, double limit, const std::vector<ClippedGroup>& groups,
                const Roots& roots, PassContext& context);

}  // namespace wengert::optim
