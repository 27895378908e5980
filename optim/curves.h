#pragma once

#include <string>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/optim/training/hook.h"

namespace wengert::optim {

/// Loss and each metric by epoch, for training and, where it was measured, validation: an SVG
/// picture (plot/figure.h), a panel for each.
WENGERT_API std::string learning_curves(const std::string& title,
                                        const std::vector<EpochRecord>& history);

}  // namespace wengert::optim
