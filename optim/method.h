#pragma once

#include <cstdint>
#include <optional>
#include <source_location>
#include <span>
#include <string_view>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tensor.h"
#include "wengert/optim/options.h"

// The record of an optimization method: everything that Optimizer, the tests and the reference page
// know about it. docs/adding_an_optimizer.md tells how to write one.
namespace wengert::optim {

/// A tensor that a method keeps for each parameter.
struct SlotDef {
  std::string_view name;
  /// What it is before the first step: null for zeros of the parameter's dtype and shape.
  Tensor (*first)(const Parameter& parameter, const OptionValues& options) = nullptr;
  /// Whether these options need it; null: always. What is not needed is not kept.
  bool (*used)(const OptionValues& options) = nullptr;
};

/// What a method makes of a gradient of a few rows (Gradient::is_rows).
enum class RowUpdates : std::uint8_t {
  kDense,  ///< it gets the gradient dense
  kLazy,   ///< it updates these rows; the others and their slots stay as they are, where the
           ///< formula would let averages decay and momentum move on
  kExact,  ///< the same, and by the formula too the others stay
};
/// "dense", "lazy", "exact".
WENGERT_API std::string_view name_of(RowUpdates rows);

/// One parameter in one step.
struct ParameterStep {
  Parameter& parameter;
  /// Dense, of the parameter's dtype and shape, finite; or a few rows of it, see `rows`.
  Tensor gradient;
  std::span<Tensor> slots;      ///< those in use, in the record's order
  std::int64_t step;            ///< how often this parameter was stepped, from 1
  const OptionValues& options;  ///< of the parameter's group; `rate` is that of this step
  bool looked_ahead;            ///< as ClosureStep::update was told
  std::source_location where;
  /// Of a gradient of a few rows their positions along axis 0, int64 [k], each once and ascending;
  /// only methods that take rows get some.
  std::optional<Tensor> rows = {};
  /// How far a line search found to go, see ClosureStep::update.
  double length = 1;
};

/// A step that evaluates gradients where its method chooses.
class WENGERT_API ClosureStep {
 public:
  virtual ~ClosureStep() = default;
  /// The trained parameters, with their slots and options; their gradients are empty tensors.
  virtual std::vector<ParameterStep> parameters() = 0;
  /// Gradients at the parameters' present values.
  virtual Gradients evaluate() = 0;
  /// Gradients with each parameter standing at `points` (in the order of parameters()), which then
  /// stand where they were, also when the evaluation fails.
  virtual Gradients evaluate_at(std::span<const Tensor> points) = 0;
  /// The update of all parameters by these gradients. What the method's update is told of how they
  /// came about: whether it looked ahead, and how far a line search found to go.
  virtual void update(const Gradients& gradients, bool looked_ahead, double length = 1) = 0;
};

/// A method. `update` or `update_all`: a method whose parameters depend on each other takes all of
/// them at once. Neither may fail for the parameters' or gradients' sake: all that can go wrong is
/// checked before the first of them is written.
struct MethodDef {
  std::string_view name;
  Documentation doc = {};
  const std::vector<OptionDef>& (*options)() = nullptr;  ///< `rate` is one of them
  std::span<const SlotDef> slots = {};
  RowUpdates rows = RowUpdates::kDense;
  void (*update)(ParameterStep& step) = nullptr;
  void (*update_all)(std::span<ParameterStep> steps) = nullptr;
  /// For step(parameters, closure); null: evaluate where the parameters stand.
  void (*with_closure)(ClosureStep& step) = nullptr;
  /// Throws Error(kValue) on options that do not go together; null: all do.
  void (*check)(const OptionValues& options) = nullptr;
};

/// Adds a method of a program's own to the table, for the rest of the process. Throws
/// Error(kValue) on a taken name or an incomplete record. `method` must outlive all use.
WENGERT_API void register_method(const MethodDef& method,
                                 std::source_location where = std::source_location::current());
/// The method of that name. Throws Error(kValue) naming the closest.
WENGERT_API const MethodDef& find_method(
    std::string_view name, std::source_location where = std::source_location::current());
/// All in the order of the table, a program's own last.
WENGERT_API std::vector<const MethodDef*> registered_methods();

}  // namespace wengert::optim
