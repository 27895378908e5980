#pragma once

#include <string>

#include "wengert/graph/export/graph_view.h"
#include "wengert/graph/pass.h"
#include "wengert/nn/models.h"
#include "wengert/optim/training/step.h"

namespace wengert::tools {

/// One step of a model on a batch, recorded, differentiated and written as "dot", "svg", "png" or
/// "json". `title` stands above the picture, what passes did at what they did it to. Throws Error
/// as recording and rendering do.
std::string draw_step(const nn::ModelDef& model, ParameterSet& parameters,
                      const optim::Batch& batch, GraphDirection direction,
                      const std::string& format, const std::string& title,
                      const PassPipeline& passes = {});

/// The training step's model of a network of the program.
optim::Model model_of(const nn::ModelDef& model);

/// The models by name, for help texts: "mlp, sigmoid_mlp".
std::string model_names();

}  // namespace wengert::tools
