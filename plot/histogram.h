#pragma once

#include <source_location>
#include <span>
#include <string>

#include "wengert/graph/api.h"
#include "wengert/plot/figure.h"

namespace wengert::plot {

/// The density of samples over `bins` equal intervals of [low, high]: a band whose area is the
/// share of the samples that lie there; the last interval has its end. What is not finite or lies
/// outside counts as a sample and has no interval. Throws Error(kValue) unless low < high are
/// finite and bins is 1 to 10,000.
WENGERT_API Band histogram(std::string name, std::span<const double> samples, double low,
                           double high, int bins,
                           std::source_location where = std::source_location::current());

}  // namespace wengert::plot
