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
#include "wengert/graph/tensor.h"

namespace wengert::optim {

/// Updates parameters θ from gradients g at rate η. State is kept by parameter name and can be
/// saved and restored bit for bit.
class WENGERT_API Optimizer {
 public:
  virtual ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  virtual std::string_view name() const = 0;
  /// η of the next step.
  double rate() const { return rate_; }
  /// Throws Error(kValue) unless rate is finite and ≥ 0.
  void set_rate(double rate, std::source_location where = std::source_location::current());
  /// Steps taken.
  std::int64_t steps() const { return steps_; }

  /// One update of every trainable parameter of the set that has a gradient; parameters without
  /// one stay as they are. Throws Error(kNonFinite) naming the parameter when a gradient holds NaN
  /// or infinity, Error(kShape) when one does not fit, Error(kParameter) when restored state does
  /// not or all gradients are of another set's parameters; nothing is changed then.
  void step(ParameterSet& parameters, const Gradients& gradients,
            std::source_location where = std::source_location::current());

  /// For methods that choose where to evaluate the gradient (look-ahead, line search): `closure`
  /// computes it at the parameters' present values. The default evaluates once and steps.
  template <class Closure>
  requires std::is_invocable_r_v<Gradients, Closure&>
  void step(ParameterSet& parameters, Closure&& closure,
            std::source_location where = std::source_location::current()) {
    step_with(
        parameters,
        [](void* context) { return (*static_cast<std::remove_reference_t<Closure>*>(context))(); },
        const_cast<void*>(static_cast<const void*>(&closure)), where);
  }

  /// One entry of the state: "fc1/weight/momentum".
  struct StateTensor {
    std::string name;
    Tensor value;
  };
  /// Everything that the next step depends on, step count included, in a fixed order.
  std::vector<StateTensor> state() const;
  /// Puts a saved state back. Throws Error(kParameter) on entries that do not belong here, are
  /// missing or repeated, Error(kValue) on a bad rate; nothing is changed then.
  void restore(const std::vector<StateTensor>& state,
               std::source_location where = std::source_location::current());

 protected:
  explicit Optimizer(double rate, std::source_location where = std::source_location::current());
  /// Names of the tensors kept for each parameter, in order: {"momentum"}.
  virtual std::vector<std::string> slots() const = 0;
  /// θ ← update(θ, g) on dense memory; `state` holds slots() tensors of θ's shape and dtype,
  /// zero at first. `step` counts from 1.
  virtual void update(Tensor& value, const Tensor& gradient, std::vector<Tensor>& state,
                      std::int64_t step, std::source_location where) = 0;
  virtual void step_with(ParameterSet& parameters, Gradients (*closure)(void*), void* context,
                         std::source_location where);
  /// The state tensors of a parameter, made on first use.
  std::vector<Tensor>& state_of(const Parameter& parameter);

 private:
  struct Members;
  void check_state(const Parameter& parameter, std::source_location where) const;
  double rate_;
  std::int64_t steps_ = 0;
  std::unique_ptr<Members> members_;
};

/// θ ← θ − ηg.
class WENGERT_API Sgd : public Optimizer {
 public:
  struct Options {
    double rate = 0.01;
  };
  explicit Sgd(Options options, std::source_location where = std::source_location::current());
  std::string_view name() const override { return "sgd"; }

 protected:
  std::vector<std::string> slots() const override { return {}; }
  void update(Tensor& value, const Tensor& gradient, std::vector<Tensor>& state, std::int64_t step,
              std::source_location where) override;
};

/// m ← βm + ηg; θ ← θ − m. B. Polyak, Some methods of speeding up the convergence of iteration
/// methods, 1964.
class WENGERT_API Momentum : public Optimizer {
 public:
  struct Options {
    double rate = 0.01;
    double momentum = 0.9;  ///< β in [0, 1)
  };
  explicit Momentum(Options options, std::source_location where = std::source_location::current());
  std::string_view name() const override { return "momentum"; }

 protected:
  std::vector<std::string> slots() const override { return {"momentum"}; }
  void update(Tensor& value, const Tensor& gradient, std::vector<Tensor>& state, std::int64_t step,
              std::source_location where) override;

 private:
  double momentum_;
};

/// Nesterov's accelerated gradient. step(parameters, closure) is the look-ahead form: g at θ − βm,
/// then m ← βm + ηg; θ ← θ − m. step(parameters, gradients) is the re-parameterised form on the
/// shifted variable θ̃ = θ − βm: m ← βm + ηg; θ̃ ← θ̃ − βm − ηg; a test holds that both describe
/// one trajectory. Y. Nesterov 1983; I. Sutskever et al., 2013.
class WENGERT_API Nesterov : public Optimizer {
 public:
  struct Options {
    double rate = 0.01;
    double momentum = 0.9;  ///< β in [0, 1)
  };
  explicit Nesterov(Options options, std::source_location where = std::source_location::current());
  std::string_view name() const override { return "nesterov"; }

 protected:
  std::vector<std::string> slots() const override { return {"momentum"}; }
  void update(Tensor& value, const Tensor& gradient, std::vector<Tensor>& state, std::int64_t step,
              std::source_location where) override;
  void step_with(ParameterSet& parameters, Gradients (*closure)(void*), void* context,
                 std::source_location where) override;

 private:
  double momentum_;
  bool looking_ahead_ = false;
};

/// m ← β₁m + (1−β₁)g; s ← β₂s + (1−β₂)g²; θ ← θ − η·m̂/(√ŝ + ε) with m̂ = m/(1−β₁ᵗ),
/// ŝ = s/(1−β₂ᵗ), t from 1: ε stands outside the root, after the correction.
/// D. Kingma, J. Ba, Adam, 2015, algorithm 1.
class WENGERT_API Adam : public Optimizer {
 public:
  struct Options {
    double rate = 0.001;
    double beta1 = 0.9;    ///< in [0, 1)
    double beta2 = 0.999;  ///< in [0, 1)
    double epsilon = 1e-8;
  };
  explicit Adam(Options options, std::source_location where = std::source_location::current());
  std::string_view name() const override { return "adam"; }

 protected:
  std::vector<std::string> slots() const override { return {"first_moment", "second_moment"}; }
  void update(Tensor& value, const Tensor& gradient, std::vector<Tensor>& state, std::int64_t step,
              std::source_location where) override;

 private:
  Options options_;
};

/// By name: sgd, momentum, nesterov, adam, with their default options but the rate (0: default).
/// Throws Error(kValue) on an unknown name.
WENGERT_API std::unique_ptr<Optimizer> make_optimizer(
    std::string_view name, double rate = 0,
    std::source_location where = std::source_location::current());

}  // namespace wengert::optim
