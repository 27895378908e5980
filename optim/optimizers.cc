#include <cmath>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/ops/kernels/update.h"
#include "wengert/optim/optimizer.h"

// The methods themselves; what they share is in optimizer.cc.
namespace wengert::optim {
namespace {

void check_unit(const char* method, const char* what, double value) {
  if (!(value >= 0 && value < 1)) {
    throw Error(ErrorKind::kValue, method,
                std::string(what) + " " + format_number(value) + " is outside [0, 1)");
  }
}

}  // namespace

Sgd::Sgd(Options options, std::source_location where) : Optimizer(options.rate, where) {}

void Sgd::update(Tensor& value, const Tensor& gradient, std::vector<Tensor>&, std::int64_t,
                 std::source_location where) {
  const WriteGuard guard(value, "Sgd::step", where);
  kernels::update_sgd(value.dtype(), guard.data(), gradient.data(), value.element_count(), rate());
}

Momentum::Momentum(Options options, std::source_location where)
    : Optimizer(options.rate, where), momentum_(options.momentum) {
  const detail::CallSite site(where);
  check_unit("momentum", "momentum", momentum_);
}

void Momentum::update(Tensor& value, const Tensor& gradient, std::vector<Tensor>& state,
                      std::int64_t, std::source_location where) {
  const WriteGuard guard(value, "Momentum::step", where);
  const WriteGuard velocity(state[0], "Momentum::step", where);
  kernels::update_momentum(value.dtype(), guard.data(), gradient.data(), velocity.data(),
                           value.element_count(), rate(), momentum_);
}

Nesterov::Nesterov(Options options, std::source_location where)
    : Optimizer(options.rate, where), momentum_(options.momentum) {
  const detail::CallSite site(where);
  check_unit("nesterov", "momentum", momentum_);
}

void Nesterov::update(Tensor& value, const Tensor& gradient, std::vector<Tensor>& state,
                      std::int64_t, std::source_location where) {
  const WriteGuard guard(value, "Nesterov::step", where);
  const WriteGuard velocity(state[0], "Nesterov::step", where);
  // After a look-ahead the parameters stand at θ itself: the plain momentum update is due.
  const auto kernel = looking_ahead_ ? kernels::update_momentum : kernels::update_nesterov;
  kernel(value.dtype(), guard.data(), gradient.data(), velocity.data(), value.element_count(),
         rate(), momentum_);
}

void Nesterov::step_with(ParameterSet& parameters, Gradients (*closure)(void*), void* context,
                         std::source_location where) {
  std::vector<std::pair<Parameter*, Tensor>> origin;
  const auto put_back = [&] {
    for (auto& [parameter, value] : origin) parameter->mutable_value() = value;
  };
  try {
    for (Parameter* parameter : parameters.all()) {
      if (!parameter->trainable() || !is_floating(parameter->value().dtype())) continue;
      const Tensor& velocity = state_of(*parameter)[0];
      // θ − βm as a tensor of its own: graphs that saved θ stay valid.
      Tensor ahead = parameter->value().clone();
      const WriteGuard guard(ahead, "Nesterov::step", where);
      kernels::update_sgd(ahead.dtype(), guard.data(), velocity.data(), ahead.element_count(),
                          momentum_);
      origin.emplace_back(parameter, parameter->value());
      parameter->mutable_value() = ahead;
    }
    const Gradients gradients = closure(context);
    put_back();
    looking_ahead_ = true;
    step(parameters, gradients, where);
    looking_ahead_ = false;
  } catch (...) {
    put_back();
    looking_ahead_ = false;
    throw;
  }
}

Adam::Adam(Options options, std::source_location where)
    : Optimizer(options.rate, where), options_(options) {
  const detail::CallSite site(where);
  check_unit("adam", "beta1", options.beta1);
  check_unit("adam", "beta2", options.beta2);
  if (!(options.epsilon >= 0) || std::isinf(options.epsilon)) {
    throw Error(ErrorKind::kValue, "adam", "epsilon " + format_number(options.epsilon),
                "it is finite and not negative");
  }
}

void Adam::update(Tensor& value, const Tensor& gradient, std::vector<Tensor>& state,
                  std::int64_t step, std::source_location where) {
  const WriteGuard guard(value, "Adam::step", where);
  const WriteGuard first(state[0], "Adam::step", where);
  const WriteGuard second(state[1], "Adam::step", where);
  const auto t = static_cast<double>(step);
  const kernels::AdamNumbers numbers = {rate(),
                                        options_.beta1,
                                        options_.beta2,
                                        options_.epsilon,
                                        1 / (1 - std::pow(options_.beta1, t)),
                                        1 / (1 - std::pow(options_.beta2, t))};
  kernels::update_adam(value.dtype(), guard.data(), gradient.data(), first.data(), second.data(),
                       value.element_count(), numbers);
}

std::unique_ptr<Optimizer> make_optimizer(std::string_view name, double rate,
                                          std::source_location where) {
  const detail::CallSite site(where);
  const auto with = [rate](auto options) {
    if (rate != 0) options.rate = rate;
    return options;
  };
  if (name == "sgd") return std::make_unique<Sgd>(with(Sgd::Options{}));
  if (name == "momentum") return std::make_unique<Momentum>(with(Momentum::Options{}));
  if (name == "nesterov") return std::make_unique<Nesterov>(with(Nesterov::Options{}));
  if (name == "adam") return std::make_unique<Adam>(with(Adam::Options{}));
  const std::string close = closest(name, {"sgd", "momentum", "nesterov", "adam"});
  throw Error(
      ErrorKind::kValue, "optimizer", "no optimizer named '" + std::string(name) + "'",
      close.empty() ? "choose sgd, momentum, nesterov or adam" : "did you mean '" + close + "'?");
}

}  // namespace wengert::optim
