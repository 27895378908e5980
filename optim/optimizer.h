#pragma once

#include <cstdint>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/parameter_filter.h"
#include "wengert/graph/tensor.h"
#include "wengert/optim/method.h"

namespace wengert::optim {

/// Updates parameters θ from gradients g at rate η by one method. State is kept by parameter name
/// and can be saved and restored bit for bit.
class WENGERT_API Optimizer {
 public:
  /// Throws Error(kValue) on options outside their ranges.
  Optimizer(const MethodDef& method, OptionValues options,
            std::source_location where = std::source_location::current());
  virtual ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  const MethodDef& method() const { return method_; }
  std::string_view name() const { return method_.name; }
  /// η of the next step.
  double rate() const { return rate_; }
  /// Throws Error(kValue) unless rate is finite and ≥ 0. The rates of groups keep their ratio to
  /// the one that the optimizer was made with.
  void set_rate(double rate, std::source_location where = std::source_location::current());
  /// Steps taken.
  std::int64_t steps() const { return steps_; }

  /// Whether a gradient of a few rows updates these rows alone where the method's record calls that
  /// lazy (RowUpdates::kLazy), as at the start. False: such gradients are made dense, and the
  /// method follows its formula. Not part of the state.
  void set_lazy_rows(bool lazy) { lazy_rows_ = lazy; }

  /// Options of their own for the parameters that `filter` accepts; it is asked in every step.
  /// Gives the group's number, from 1 (0 stands for the options that the optimizer was made with).
  /// A step throws Error(kParameter) when a parameter belongs to two groups or a group is empty.
  int add_group(ParameterFilter filter, OptionValues options,
                std::source_location where = std::source_location::current());
  /// As the group was made.
  const OptionValues& option_values(int group = 0) const;

  /// One update of every trainable parameter of the set that has a gradient; parameters without
  /// one stay as they are, gradients of other sets' parameters are left alone. Then the gradients'
  /// updates of buffers take effect. Throws Error(kNonFinite) naming the parameter when a gradient
  /// holds NaN or infinity, Error(kShape) when one does not fit, Error(kParameter) when restored
  /// state does not, groups are wrong, or all gradients are of another set's parameters; nothing is
  /// changed then.
  void step(ParameterSet& parameters, const Gradients& gradients,
            std::source_location where = std::source_location::current());

  /// For methods that choose where to evaluate the gradient (look-ahead, line search): `closure`
  /// computes it at the parameters' present values. Others evaluate once and step.
  template <class Closure>
  requires std::is_invocable_r_v<Gradients, Closure&>
  void step(ParameterSet& parameters, Closure&& closure,
            std::source_location where = std::source_location::current()) {
    step_with(
        parameters,
        [](void* context) { return (*static_cast<std::remove_reference_t<Closure>*>(context))(); },
        const_cast<void*>(static_cast<const void*>(&closure)), where);
  }

  /// One entry of the state: "slots/fc1/weight/momentum", "steps/fc1/weight", "options/0/rate".
  struct StateTensor {
    std::string name;
    Tensor value;
  };
  /// Everything that the next step depends on, options and step counts included, in a fixed order.
  std::vector<StateTensor> state() const;
  /// Puts a saved state back: rate, options of every group (those it does not name stay), counts
  /// and slots. Throws Error(kParameter) on entries that do not belong here, are missing or
  /// repeated, Error(kValue) on bad options; nothing is changed then.
  void restore(const std::vector<StateTensor>& state,
               std::source_location where = std::source_location::current());
  /// Throws Error(kParameter) where what is kept of a parameter does not fit the set's one of that
  /// name, or groups are wrong: as the next step would.
  void check_state(ParameterSet& parameters,
                   std::source_location where = std::source_location::current());

 private:
  struct Members;
  class Step;
  class Closure;
  void step_with(ParameterSet& parameters, Gradients (*closure)(void*), void* context,
                 std::source_location where);
  void step_checked(ParameterSet& parameters, const Gradients& gradients, bool looked_ahead,
                    double length, std::source_location where);

  const MethodDef& method_;
  double rate_;
  std::int64_t steps_ = 0;
  bool lazy_rows_ = true;
  std::unique_ptr<Members> members_;
};

// The methods of the table: Adam({.rate = 1e-3}) and so on. `wengert optimizers NAME` prints what
// each computes and what its options are.
#define WENGERT_MEMBERS(...) __VA_ARGS__
#define OPTIMIZER(name, Class, members)                                                            \
  class WENGERT_API Class : public Optimizer {                                                     \
   public:                                                                                         \
    struct Options {                                                                               \
      WENGERT_MEMBERS members                                                                      \
    };                                                                                             \
    explicit Class(Options options, std::source_location where = std::source_location::current()); \
    int add_group(ParameterFilter filter, Options options,                                         \
                  std::source_location where = std::source_location::current());                   \
    Options options(int group = 0) const;                                                          \
  };
#include "wengert/optim/optimizers.def"
#undef OPTIMIZER

/// By name, with its default options but those set. Throws Error(kValue) on an unknown name or
/// option, and on values outside an option's range.
WENGERT_API std::unique_ptr<Optimizer> make_optimizer(
    std::string_view name, const std::vector<OptionSetting>& settings = {},
    std::source_location where = std::source_location::current());
/// The same at a rate; 0: the default.
WENGERT_API std::unique_ptr<Optimizer> make_optimizer(
    std::string_view name, double rate,
    std::source_location where = std::source_location::current());

}  // namespace wengert::optim
