#include "wengert/autodiff/rules.h"

#include "wengert/ops/ops.h"
#include "wengert/ops/records.h"

namespace wengert {

using detail::Value;

RecordedRule::RecordedRule(Engine& engine, std::uint32_t id)
    : engine_(engine), id_(id), node_(engine.tape_.node(id)), gradients_(node_.input_count) {}

Var RecordedRule::input(int i) const {
  return Var::share(engine_.saved_value(id_, node_.inputs()[i], i));
}

Var RecordedRule::output(int k) const { return Var::share(engine_.saved_output(id_, k)); }

Var RecordedRule::cotangent(int k) const {
  Value* value = engine_.table_[id_ + static_cast<std::uint32_t>(k)];
  return value == nullptr ? Var() : Var::share(value);
}

bool RecordedRule::needs(int i) const {
  const std::uint32_t id = node_.inputs()[i];
  return engine_.needs_input(*node_.op, i, id, engine_.tape_.node(id).value);
}

void RecordedRule::set(int i, Var gradient) { gradients_[i] = std::move(gradient); }

Var RecordedRule::take_pending(int i) {
  return Var::take(std::exchange(engine_.table_[node_.inputs()[i]], nullptr));
}

Shape RecordedRule::shape(int i) const { return engine_.tape_.shape(node_.inputs()[i]); }

Shape RecordedRule::output_shape(int k) const {
  return engine_.tape_.shape(id_ + static_cast<std::uint32_t>(k));
}

DType RecordedRule::dtype(int i) const { return engine_.tape_.dtype(node_.inputs()[i]); }

void RecordedRule::deliver() {
  for (int i = 0; i < node_.input_count; ++i) {
    if (!gradients_[i] || !needs(i)) continue;
    const std::uint32_t id = node_.inputs()[i];
    Var fitted = engine_.fit(id, std::move(gradients_[i]));
    engine_.observe_edge(id_, i, fitted);
    engine_.accumulate(id, fitted.release());
  }
}

void add_in_place(Value* slot, const Value* given, std::int64_t count) {
  const auto kernel = ops::add_op.elementwise->kernels->forward[static_cast<int>(slot->dtype)];
  const void* in[] = {slot->data, given->data};
  kernel(in, slot->data, count, nullptr);
}

}  // namespace wengert
