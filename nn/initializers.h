#pragma once

#include <source_location>

#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"

// How new parameters are filled. Every element depends only on the set's seed, the parameter's
// name and the element's index. Fans are read off the op that consumes the parameter.
namespace wengert::nn {

/// N(mean, stddev²). Throws Error(kValue) on a negative or non-finite number.
WENGERT_API Initializer normal(double mean, double stddev,
                               std::source_location where = std::source_location::current());
/// U[low, high). Throws Error(kValue) when high < low or a number is not finite.
WENGERT_API Initializer uniform(double low, double high,
                                std::source_location where = std::source_location::current());
/// Every element the same. Throws Error(kValue) when it is not finite.
WENGERT_API Initializer constant(double value,
                                 std::source_location where = std::source_location::current());
/// N(0, 2/(fan_in + fan_out)); X. Glorot, Y. Bengio, Understanding the difficulty of training deep
/// feedforward neural networks, 2010.
WENGERT_API Initializer xavier_normal();
/// U(−r, r), r = √(6/(fan_in + fan_out)); the same paper, eq. 16.
WENGERT_API Initializer xavier_uniform();
/// N(0, 2/fan_in); K. He et al., Delving deep into rectifiers, 2015, eq. 10.
WENGERT_API Initializer he_normal();
/// U(−r, r), r = √(6/fan_in); the same paper, with the uniform distribution of that variance.
WENGERT_API Initializer he_uniform();

}  // namespace wengert::nn
