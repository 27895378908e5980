#pragma once

// Private to the library.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wengert/graph/hash_map.h"
#include "wengert/optim/optimizer.h"

namespace wengert::optim {

/// What an optimizer knows of one parameter.
struct ParameterState {
  std::vector<const SlotDef*> defs;  ///< of the slots, which the options need
  std::vector<Tensor> slots;
  std::int64_t step = 0;
  /// The dtype and shape of a parameter that the slots were found to fit, if they were.
  std::optional<std::pair<DType, Shape>> fits = {};
};

struct Optimizer::Members {
  struct Group {
    ParameterFilter filter;
    OptionValues options;
  };
  /// By name, so that a restored state finds its parameter again; `order` is that of first use.
  detail::TextMap<std::unique_ptr<ParameterState>> states;
  std::vector<std::string> order;
  std::vector<Group> groups;   ///< the first is everybody else's
  std::size_t rate_index = 0;  ///< of the option `rate`
  /// Of the option `weight_decay`, or how many options there are.
  std::size_t decay_index = 0;
};

}  // namespace wengert::optim
