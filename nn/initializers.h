#pragma once

#include <source_location>
#include <string_view>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"

// How new parameters are filled: linear(parameters, "fc", x, 10, {.weight = nn::orthogonal()}).
// Every element depends only on the set's seed, the parameter's name and shape, the fans and the
// element's index. Fans are read off the op that consumes the parameter. `wengert initializers
// NAME` prints the page of each.
namespace wengert::nn {

/// By how much weights before an activation are larger than LeCun's so that its outputs keep their
/// variance: 1 for "identity" and "sigmoid", 5/3 for "tanh", √2 for "relu", √(2/(1 + slope²)) for
/// "leaky_relu", 3/4 for "selu"; the numbers of PyTorch's calculate_gain. Throws Error(kValue) on
/// another name, naming the closest. lecun_normal(gain("relu")) is he_normal().
WENGERT_API double gain(std::string_view activation, double slope = 0.01,
                        std::source_location where = std::source_location::current());

/// A number that an initializer takes, for pages and tests.
struct InitializerNumber {
  std::string_view name;
  std::string_view meaning;
  double example = 0;
};

/// The record of an initializer: what people read about it and how it fills.
struct InitializerDef {
  struct Page {
    std::string_view summary;  ///< one sentence
    std::string_view formula, notes, source;
  };
  std::string_view name;
  Page doc;
  InitializerNumber numbers[2] = {};  ///< as many as have a name
  /// What is wrong with the two numbers, or empty; they are finite.
  std::string_view (*refuse)(double first, double second) = nullptr;
  decltype(Initializer::fill) fill = nullptr;
};

/// All in the order of the table.
WENGERT_API std::vector<const InitializerDef*> registered_initializers();
/// One of the table with its numbers. Throws as its call does.
WENGERT_API Initializer
make_initializer(const InitializerDef& def, double first, double second,
                 std::source_location where = std::source_location::current());

// The initializers of the table. Each throws Error(kValue) on numbers that are not finite or
// outside what its page says.
#define WENGERT_INITIALIZER_PARAMETERS(...) __VA_ARGS__ __VA_OPT__(, )
#define INITIALIZER(name, parameters, first, second)                                             \
  WENGERT_API extern const InitializerDef name##_initializer;                                    \
  inline Initializer name(WENGERT_INITIALIZER_PARAMETERS parameters std::source_location where = \
                              std::source_location::current()) {                                 \
    return make_initializer(name##_initializer, first, second, where);                           \
  }
#include "wengert/nn/initializers.def"
#undef INITIALIZER

}  // namespace wengert::nn
