#pragma once

#include <cstdint>
#include <source_location>
#include <string_view>

#include "wengert/graph/api.h"
#include "wengert/graph/random_stream.h"
#include "wengert/graph/tensor.h"

namespace wengert {

/// Fills a dense float32 or float64 tensor, uniform in [low, high), as draw `counter` of the stream
/// (seed, name): the bits of random_uniform there.
/// Throws Error(kDType), Error(kValue): ends not finite or low > high, a strided view.
WENGERT_API void fill_uniform(Tensor& out, std::uint64_t seed, std::string_view name,
                              std::uint64_t counter, double low = 0, double high = 1,
                              std::source_location where = std::source_location::current());
/// The same, normal; also throws Error(kValue) on a mean or stddev that is not finite, stddev < 0.
WENGERT_API void fill_normal(Tensor& out, std::uint64_t seed, std::string_view name,
                             std::uint64_t counter, double mean = 0, double stddev = 1,
                             std::source_location where = std::source_location::current());

}  // namespace wengert
