#pragma once

#include <source_location>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"
#include "wengert/io/safetensors.h"

namespace wengert::optim {

/// Copies of all parameters and buffers of a set, kept together: a batch norm's weights are worth
/// nothing with another step's statistics.
class WENGERT_API Snapshot {
 public:
  Snapshot() = default;
  explicit Snapshot(const ParameterSet& parameters) { take(parameters); }
  bool empty() const { return tensors_.empty(); }
  /// The set as it is now.
  void take(const ParameterSet& parameters);
  /// Puts the copies back, parameters into their own memory. Throws Error(kParameter) when the set
  /// lacks one or has it in another dtype or shape; nothing is changed then. What the set has
  /// besides stays.
  void restore(ParameterSet& parameters,
               std::source_location where = std::source_location::current()) const;
  /// A running average: copy ← decay·copy + (1 − decay)·value for what is floating; counters are
  /// taken as they are, and so is what is new. Throws Error(kValue) unless 0 ≤ decay ≤ 1.
  void average(const ParameterSet& parameters, double decay,
               std::source_location where = std::source_location::current());

  /// By name, to save and put back.
  const std::vector<io::NamedTensor>& tensors() const { return tensors_; }
  void set_tensors(std::vector<io::NamedTensor> tensors);

 private:
  std::vector<io::NamedTensor> tensors_;
};

}  // namespace wengert::optim
