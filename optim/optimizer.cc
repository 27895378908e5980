#include "wengert/optim/optimizer.h"

#include <algorithm>
#include <cmath>

#include "absl/container/flat_hash_map.h"
#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/ops/kernels/update.h"

namespace wengert::optim {

struct Optimizer::Members {
  /// By name, so that a restored state finds its parameter again; `order` is that of first use.
  absl::flat_hash_map<std::string, std::vector<Tensor>> slots;
  std::vector<std::string> order;
};

Optimizer::Optimizer(double rate, std::source_location where)
    : rate_(rate), members_(std::make_unique<Members>()) {
  set_rate(rate, where);
}
Optimizer::~Optimizer() = default;

void Optimizer::set_rate(double rate, std::source_location where) {
  const detail::CallSite site(where);
  if (!std::isfinite(rate) || rate < 0) {
    throw Error(ErrorKind::kValue, "optimizer", "rate " + format_number(rate),
                "rates are finite and not negative");
  }
  rate_ = rate;
}

std::vector<Tensor>& Optimizer::state_of(const Parameter& parameter) {
  check_state(parameter, std::source_location::current());
  const auto [it, fresh] = members_->slots.try_emplace(parameter.name());
  if (fresh) {
    members_->order.push_back(parameter.name());
    for (std::size_t k = 0; k < slots().size(); ++k) {
      it->second.push_back(Tensor::zeros(parameter.value().dtype(), parameter.value().shape()));
    }
  }
  return it->second;
}

void Optimizer::check_state(const Parameter& parameter, std::source_location where) const {
  const auto known = members_->slots.find(parameter.name());
  if (known == members_->slots.end()) return;
  const Tensor& value = parameter.value();
  for (const Tensor& tensor : known->second) {
    if (tensor.dtype() == value.dtype() && tensor.shape() == value.shape()) continue;
    throw Error(ErrorKind::kParameter, std::string(name()),
                "the state of '" + parameter.name() + "' is " +
                    to_string(tensor.dtype(), tensor.shape()) + ", the parameter " +
                    to_string(value.dtype(), value.shape()),
                "restore the state that was saved with these parameters", where);
  }
}

void Optimizer::step(ParameterSet& parameters, const Gradients& gradients,
                     std::source_location where) {
  const detail::CallSite site(where);
  std::vector<const Gradients::Entry*> own;  // of this set; another set's are left alone
  std::size_t others = 0;
  for (const Gradients::Entry& entry : gradients.entries()) {
    if (entry.parameter == nullptr) continue;
    if (parameters.find(entry.parameter->name()) == entry.parameter) {
      own.push_back(&entry);
    } else {
      ++others;
    }
    const Tensor& value = entry.parameter->value();
    const Var& gradient = entry.gradient;
    if (gradient.dtype() != value.dtype() || !(gradient.shape() == value.shape())) {
      throw Error(ErrorKind::kShape, std::string(name()),
                  "the gradient of '" + entry.parameter->name() + "' is " +
                      to_string(gradient.dtype(), gradient.shape()) + ", the parameter " +
                      to_string(value.dtype(), value.shape()),
                  "", where);
    }
    check_state(*entry.parameter, where);
    const Tensor dense = gradient.value().contiguous();
    if (!kernels::all_finite(dense.dtype(), dense.data(), dense.element_count())) {
      throw Error(ErrorKind::kNonFinite, std::string(name()),
                  "the gradient of '" + entry.parameter->name() + "' holds NaN or infinity",
                  "lower the rate, clip gradients, or find the first bad op with "
                  "Tape::detect_non_finite",
                  where);
    }
  }
  if (own.empty() && others > 0) {
    throw Error(
        ErrorKind::kParameter, std::string(name()),
        "none of the " + std::to_string(others) + " gradients is of a parameter of this set",
        "give the set that the loss was computed with", where);
  }
  ++steps_;
  for (const Gradients::Entry* entry : own) {
    if (!entry->parameter->trainable()) continue;
    update(entry->parameter->mutable_value(), entry->gradient.value().contiguous(),
           state_of(*entry->parameter), steps_, where);
  }
}

void Optimizer::step_with(ParameterSet& parameters, Gradients (*closure)(void*), void* context,
                          std::source_location where) {
  step(parameters, closure(context), where);
}

std::vector<Optimizer::StateTensor> Optimizer::state() const {
  std::vector<StateTensor> result{{"steps", Tensor::scalar(steps_)},
                                  {"rate", Tensor::scalar(rate_)}};
  const std::vector<std::string> names = slots();
  for (const std::string& parameter : members_->order) {
    const std::vector<Tensor>& tensors = members_->slots.at(parameter);
    for (std::size_t k = 0; k < names.size(); ++k) {
      result.push_back({parameter + "/" + names[k], tensors[k].clone()});
    }
  }
  return result;
}

void Optimizer::restore(const std::vector<StateTensor>& state, std::source_location where) {
  const detail::CallSite site(where);
  const std::vector<std::string> names = slots();
  const auto refuse = [this](const std::string& message) {
    throw Error(ErrorKind::kParameter, std::string(name()), message,
                "restore what state() of the same kind of optimizer gave");
  };
  Members restored;
  absl::flat_hash_map<std::string, std::vector<bool>> seen;
  std::int64_t steps = -1;
  double rate = rate_;
  for (const StateTensor& entry : state) {
    const std::string type = to_string(entry.value.dtype(), entry.value.shape());
    if (entry.name == "steps" || entry.name == "rate") {
      const bool counts = entry.name == "steps";
      if (entry.value.rank() != 0 ||
          entry.value.dtype() != (counts ? DType::kInt64 : DType::kFloat64)) {
        refuse("the state entry '" + entry.name + "' is " + type);
      }
      if (counts) steps = entry.value.item<std::int64_t>();
      if (!counts) rate = entry.value.item<double>();
      continue;
    }
    const auto slash = entry.name.rfind('/');
    const std::string parameter = entry.name.substr(0, slash);
    const std::string slot = slash == std::string::npos ? "" : entry.name.substr(slash + 1);
    const auto k =
        static_cast<std::size_t>(std::find(names.begin(), names.end(), slot) - names.begin());
    if (k == names.size()) {
      refuse("the state entry '" + entry.name + "' belongs to another optimizer");
    }
    const auto [it, fresh] = restored.slots.try_emplace(parameter);
    std::vector<bool>& filled = seen[parameter];
    if (fresh) {
      restored.order.push_back(parameter);
      it->second.resize(names.size());
      filled.resize(names.size());
    }
    if (filled[k]) refuse("the state entry '" + entry.name + "' is there twice");
    filled[k] = true;
    it->second[k] = entry.value.clone();
  }
  for (const std::string& parameter : restored.order) {
    for (std::size_t k = 0; k < names.size(); ++k) {
      if (!seen[parameter][k]) refuse("the state has no '" + parameter + "/" + names[k] + "'");
    }
  }
  if (steps < 0) refuse("the state has no step count");
  set_rate(rate);
  *members_ = std::move(restored);
  steps_ = steps;
}

}  // namespace wengert::optim
