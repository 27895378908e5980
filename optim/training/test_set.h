#pragma once

#include <cstdint>
#include <source_location>
#include <string>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"
#include "wengert/optim/training/loader.h"
#include "wengert/optim/training/metrics.h"
#include "wengert/optim/training/step.h"

namespace wengert::optim {

/// The test set, which tells how a network does on what nobody has chosen by. It tells so once: who
/// looks, changes something and looks again has chosen by it, and its numbers are then too good. So
/// the first look is free, a further one must be said to be one, and the log counts them all.
class WENGERT_API TestSet {
 public:
  /// The loader outlives it. `log` is a file that keeps the looks, a line each, so that another run
  /// of the program knows of them; empty: they are known as long as this object lives. Throws
  /// IoError on a log that cannot be read or is none.
  explicit TestSet(const Loader& loader, std::string log = {},
                   std::source_location where = std::source_location::current());
  explicit TestSet(const Loader&&, std::string = {}) = delete;

  /// The one look: what the model makes of all examples, for inference. `why` goes into the log.
  /// Throws Error(kValue) where the set was seen before, saying when; what the model throws, then
  /// it was not seen; IoError where the log cannot be written: no number comes out that it lacks.
  Totals measure(ParameterSet& parameters, const Model& model, const std::string& why = "test",
                 std::source_location where = std::source_location::current());
  /// A further look, which the log calls one. Throws Error(kValue) without a reason.
  Totals measure_again(ParameterSet& parameters, const Model& model, const std::string& why,
                       std::source_location where = std::source_location::current());

  /// What each look was for, those of the log included.
  const std::vector<std::string>& looks() const { return looks_; }

 private:
  Totals look(ParameterSet& parameters, const Model& model, const std::string& why,
              std::source_location where);
  const Loader& loader_;
  std::string log_;
  std::vector<std::string> looks_;
};

}  // namespace wengert::optim
