#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/optim/training/fit.h"

namespace wengert::optim {

/// One kind of the numbers that a training has: who decides them tells the kinds apart.
struct ParameterKind {
  std::string kind;                ///< "parameters", "buffers", "hyper-parameters", …
  std::int64_t numbers = 0;        ///< how many there are
  std::string decided_by;          ///< "training, by their gradients"
  std::string changes;             ///< "each step", "never"
  std::string kept_in;             ///< "model file", "training state", "nowhere"
  std::vector<std::string> names;  ///< "fc1/weight f32[784,256]", "rate = 0.001"
};

/// What a training has of each kind, kinds that it has none of included:
/// - parameters: trained; frozen ones apart;
/// - buffers: gathered from the data as they pass, or counted (running statistics, random draws);
/// - gradients: one for each trained number;
/// - optimizer state: what the method keeps of past gradients;
/// - progress: what schedule and hooks have seen;
/// - hyper-parameters: what is chosen before training, by hand or in a search: options of the
///   method and its groups, of the schedule, passes, epochs, micro-batches.
/// The state of a method is there once it has stepped.
WENGERT_API std::vector<ParameterKind> parameter_kinds(const Training& training);

/// The kinds as a table for people, with the first names of each.
WENGERT_API std::string to_table(const std::vector<ParameterKind>& kinds);

}  // namespace wengert::optim
