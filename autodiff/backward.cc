#include "wengert/autodiff/backward.h"

#include <algorithm>

#include "wengert/autodiff/engine.h"
#include "wengert/graph/call_site.h"
#include "wengert/graph/text.h"
#include "wengert/graph/value_pool.h"
#include "wengert/ops/ops.h"

namespace wengert {

Tape& live_tape(const char* caller, std::span<const Var> ys, std::source_location where) {
  Tape* tape = Tape::current();
  if (tape == nullptr) {
    for (const Var& y : ys) {
      if (!y.has_value() || !detail::is_of_another_thread(y.get())) continue;
      throw Error(ErrorKind::kGraph, caller, "the value belongs to another thread's tape",
                  "differentiate on the thread that recorded it", where);
    }
    throw Error(ErrorKind::kGraph, caller, "no tape is live on this thread",
                "construct a Tape before the computation and differentiate before it ends", where);
  }
  return *tape;
}

void meet(Tape& tape, const Var& var, std::source_location where) {
  if (var.has_value() && var.requires_grad() && var.get()->has(detail::Value::kLeaf) &&
      !tape.knows(var)) {
    tape.adopt(var.get(), detail::variable_op, where);
  }
}

std::vector<std::uint32_t> targets_of(Tape& tape, std::span<const Var> xs, const char* caller,
                                      std::source_location where) {
  std::vector<std::uint32_t> targets;
  for (const Var& x : xs) {
    meet(tape, x, where);
    targets.push_back(tape.id_of(x, caller, where));
    if (!x.requires_grad()) {
      throw Error(ErrorKind::kGraph, caller,
                  to_string(x.dtype(), x.shape()) + " to differentiate by is a constant",
                  "make it with variable(…), or compute it from one", where);
    }
  }
  return targets;
}

Var Gradients::operator[](const Operand& operand) const {
  const Var& leaf = *operand.var;
  for (const Entry& entry : entries_) {
    if (entry.leaf.get() == leaf.get()) return entry.gradient.dense();
  }
  if (!leaf.has_value() || !leaf.requires_grad() || !leaf.get()->has(detail::Value::kLeaf)) {
    throw Error(ErrorKind::kGraph, "Gradients",
                leaf.has_value() ? "not a variable or parameter" : "an empty Var",
                "make it with variable(…), or ask grad(y, x) for gradients of intermediate values",
                operand.where);
  }
  return Tensor::zeros(leaf.shape(), leaf.dtype());
}

Var Gradients::operator[](const Parameter& parameter) const {
  if (const Gradient* known = find(parameter)) return known->dense();
  return Tensor::zeros(parameter.value().shape(), parameter.value().dtype());
}

Gradients& Gradients::operator+=(const Gradients& other) {
  const std::size_t own = entries_.size();
  for (const Entry& added : std::vector<Entry>(other.entries_)) {
    const auto end = entries_.begin() + static_cast<std::ptrdiff_t>(own);
    const auto known = std::find_if(entries_.begin(), end, [&](const Entry& entry) {
      return added.parameter != nullptr ? entry.parameter == added.parameter
                                        : entry.leaf.get() == added.leaf.get();
    });
    if (known == end) {
      entries_.push_back(added);
    } else {
      known->gradient += added.gradient;
    }
  }
  updates_.append(other.updates_);
  value_ += other.value_;
  return *this;
}

Gradients& Gradients::operator*=(double factor) {
  std::vector<Gradient> scaled;
  for (const Entry& entry : entries_) (scaled.emplace_back(entry.gradient)) *= factor;
  for (std::size_t i = 0; i < scaled.size(); ++i) entries_[i].gradient = std::move(scaled[i]);
  value_ *= factor;
  return *this;
}

Var Gradients::at(std::string_view name, std::source_location where) const {
  std::vector<std::string> names;
  for (const Entry& entry : entries_) {
    if (entry.parameter == nullptr) continue;
    if (entry.parameter->name() == name) return entry.gradient.dense();
    names.push_back(entry.parameter->name());
  }
  const std::string close = closest(name, names);
  throw Error(ErrorKind::kParameter, "Gradients",
              "no gradient of a parameter '" + std::string(name) + "'",
              close.empty() ? "the loss depends on " + std::to_string(names.size()) + " parameters"
                            : "did you mean '" + close + "'?",
              where);
}

const Gradient* Gradients::find(const Parameter& parameter) const {
  for (const Entry& entry : entries_) {
    if (entry.parameter == &parameter) return &entry.gradient;
  }
  return nullptr;
}

Gradients backward(const Var& loss, const BackwardOptions& options, std::source_location where) {
  const detail::CallSite site(where);
  Tape& tape = live_tape("backward", {&loss, 1}, where);
  meet(tape, loss, where);
  Engine engine(tape, options, where);
  engine.take_rows();
  engine.seed(loss, {}, "backward", false);
  engine.sweep(0);
  Gradients result = engine.collect();
  result.updates_ = tape.updates();
  result.value_ = loss.scalar_value();
  return result;
}

void detail::grad_into(std::span<Var> gradients, std::span<const Var> ys, std::span<const Var> xs,
                       std::span<const Var> cotangents, const BackwardOptions& options,
                       std::source_location where) {
  const detail::CallSite site(where);
  Tape& tape = live_tape("grad", ys, where);
  if (!cotangents.empty() && cotangents.size() != ys.size()) {
    throw Error(ErrorKind::kValue, "grad",
                std::to_string(cotangents.size()) + " cotangents for " + std::to_string(ys.size()) +
                    " values",
                "give one for each, an empty Var means 1", where);
  }
  for (const Var& y : ys) meet(tape, y, where);
  const std::vector<std::uint32_t> targets = targets_of(tape, xs, "grad", where);
  Engine engine(tape, options, where);
  for (std::size_t i = 0; i < ys.size(); ++i) {
    engine.seed(ys[i], cotangents.empty() ? Var() : cotangents[i], "grad", true);
  }
  if (ys.empty()) {
    for (std::size_t i = 0; i < xs.size(); ++i) {
      gradients[i] = engine.recorded(Tensor::zeros(xs[i].shape(), xs[i].dtype()));
    }
    return;
  }
  engine.restrict_to(targets);
  engine.sweep(targets.empty() ? 0 : *std::min_element(targets.begin(), targets.end()));
  for (std::size_t i = 0; i < xs.size(); ++i) {
    Var gradient = engine.take(targets[i]);
    if (!gradient.has_value()) gradient = Tensor::zeros(xs[i].shape(), xs[i].dtype());
    gradients[i] = engine.recorded(std::move(gradient));
  }
}

std::vector<Var> grad(const VarList& ys, const VarList& xs, const VarList& cotangents,
                      const BackwardOptions& options, std::source_location where) {
  std::vector<Var> gradients(xs.size());
  detail::grad_into(gradients, ys, xs, cotangents, options, where);
  return gradients;
}

Var grad(const Var& y, const Var& x, const BackwardOptions& options, std::source_location where) {
  Var gradient;
  detail::grad_into({&gradient, 1}, {&y, 1}, {&x, 1}, {}, options, where);
  return gradient;
}

}  // namespace wengert
