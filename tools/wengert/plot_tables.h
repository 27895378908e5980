#pragma once

#include "wengert/plot/figure.h"

// Figures of what the tables hold, so that a new row is drawn without a word here.
namespace wengert::tools {

/// Each activation f with f′ and f″, and where |f′| is small.
plot::Figure figure_of_activations();
/// Each loss of single elements over the prediction, with its derivative, for several targets.
plot::Figure figure_of_losses();
/// What each schedule multiplies the rate with, step by step.
plot::Figure figure_of_schedules();
/// How the weights of a square layer are spread that each initializer fills.
plot::Figure figure_of_initializers();

}  // namespace wengert::tools
