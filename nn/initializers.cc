#include "wengert/nn/initializers.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/nn/initializers/record.h"

namespace wengert::nn {

void require_floating(const Initializer& self, const Tensor& out) {
  if (is_floating(out.dtype())) return;
  throw Error(ErrorKind::kDType, std::string(self.name),
              "draws float32 or float64, the parameter is " + to_string(out.dtype(), out.shape()),
              "constant fills any dtype");
}

double fan_count(std::int64_t count, const Initializer& self, const Fans& fans, const Tensor& out) {
  require_floating(self, out);
  if (count < 1 && out.element_count() > 0) {
    throw Error(ErrorKind::kValue, std::string(self.name),
                "its scale comes from the fans, which are fan_in=" + std::to_string(fans.fan_in) +
                    ", fan_out=" + std::to_string(fans.fan_out),
                "give the Fans of the op that consumes the parameter (fans_of), or use normal or "
                "uniform");
  }
  return static_cast<double>(std::max<std::int64_t>(1, count));
}

std::string stream_beside(std::string_view parameter, std::string_view what) {
  return std::string(parameter) + "/initial_" + std::string(what);
}

namespace {

[[noreturn]] void refuse(const InitializerDef& def, std::string_view wrong,
                         std::source_location where) {
  const detail::CallSite site(where);
  throw Error(ErrorKind::kValue, std::string(def.name), std::string(wrong));
}

}  // namespace

Initializer make_initializer(const InitializerDef& def, double first, double second,
                             std::source_location where) {
  if (!std::isfinite(first) || !std::isfinite(second)) {
    refuse(def, "its numbers must be finite", where);
  }
  if (def.refuse != nullptr) {
    const std::string_view wrong = def.refuse(first, second);
    if (!wrong.empty()) refuse(def, wrong, where);
  }
  return {def.name, first, second, def.fill};
}

std::vector<const InitializerDef*> registered_initializers() {
  return {
#define INITIALIZER(name, parameters, first, second) &name##_initializer,
#include "wengert/nn/initializers.def"
#undef INITIALIZER
  };
}

double gain(std::string_view activation, double slope, std::source_location where) {
  const detail::CallSite site(where);
  if (activation == "leaky_relu") {
    if (std::isfinite(slope)) return std::sqrt(2 / (1 + slope * slope));
    throw Error(ErrorKind::kValue, "gain", "the slope is " + format_number(slope), "give a number");
  }
  constexpr std::pair<std::string_view, double> kGains[] = {{"identity", 1},
                                                            {"sigmoid", 1},
                                                            {"tanh", 5.0 / 3},
                                                            {"relu", 1.4142135623730951},
                                                            {"selu", 0.75}};
  std::vector<std::string> names = {"leaky_relu"};
  for (const auto& [name, value] : kGains) {
    if (name == activation) return value;
    names.emplace_back(name);
  }
  const std::string close = closest(activation, names);
  throw Error(ErrorKind::kValue, "gain", "no gain is known for '" + std::string(activation) + "'",
              close.empty() ? "give one of identity, sigmoid, tanh, relu, leaky_relu, selu"
                            : "did you mean '" + close + "'?");
}

}  // namespace wengert::nn
