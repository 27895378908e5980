#pragma once

#include <string>

#include "wengert/graph/export/graph_view.h"
#include "wengert/nn/models.h"
#include "wengert/optim/dataset.h"

namespace wengert::tools {

/// One step of a model on a batch, recorded, differentiated and written as "dot", "svg", "png" or
/// "json". `title` stands above the picture. Throws Error as recording and rendering do.
std::string draw_step(const nn::ModelDef& model, ParameterSet& parameters,
                      const optim::Batch& batch, GraphDirection direction,
                      const std::string& format, const std::string& title);

}  // namespace wengert::tools
