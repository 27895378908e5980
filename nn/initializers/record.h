#pragma once

// Private to the library.

#include "wengert/nn/initializers.h"
#include "wengert/ops/random_stream.h"

// What the file of an initializer includes: the records that it defines, and what several need.
namespace wengert::nn {
/// Throws Error(kDType) unless the parameter is float32 or float64.
void require_floating(const Initializer& self, const Tensor& out);
/// The count of fans that scales an initializer. Throws Error(kValue) where it is below 1 and there
/// is something to fill.
double fan_count(std::int64_t count, const Initializer& self, const Fans& fans, const Tensor& out);
/// The name of a further stream of a parameter: what is drawn beside its numbers.
std::string stream_beside(std::string_view parameter, std::string_view what);

}  // namespace wengert::nn
