#include "wengert/autodiff/rules.h"

#include "wengert/graph/value_pool.h"
#include "wengert/ops/ops.h"
#include "wengert/ops/records.h"

namespace wengert {

using detail::Value;

namespace {

TensorView view_of(Value* v) { return {v->dtype, v->rank, v->sizes(), v->strides(), v->data}; }

}  // namespace

RecordedRule::RecordedRule(Engine& engine, std::uint32_t id)
    : engine_(engine), id_(id), node_(engine.tape_.node(id)), gradients_(node_.input_count) {}

Var RecordedRule::input(int i) const {
  return Var::share(engine_.saved_value(id_, node_.inputs()[i], i));
}

Var RecordedRule::output(int k) const {
  return Var::share(engine_.saved_value(id_, id_ + static_cast<std::uint32_t>(k), -1));
}

Var RecordedRule::cotangent(int k) const {
  Value* value = engine_.table_[id_ + static_cast<std::uint32_t>(k)];
  return value == nullptr ? Var() : Var::share(value);
}

bool RecordedRule::needs(int i) const {
  return node_.op->is_differentiable(i) && engine_.needs(node_.inputs()[i]);
}

void RecordedRule::set(int i, Var gradient) { gradients_[i] = std::move(gradient); }

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

FusedRule::FusedRule(Engine& engine, std::uint32_t id, const detail::Node& node)
    : engine_(engine), id_(id), node_(node) {
  if (node.input_count > kFew) many_fresh_.resize(node.input_count - kFew);
  const Tape& tape = engine.tape_;
  for (std::uint32_t k = id; k < tape.size() && (k == id || tape.node(k).output > 0); ++k) {
    Var cotangent = engine.table_[k] == nullptr ? Var() : Var::share(engine.table_[k]);
    // Elementwise loops walk any strides; other kernels are promised a dense cotangent.
    if (cotangent && cotangent.get()->has(Value::kStrided) && node.op->elementwise == nullptr) {
      NoGrad off;
      cotangent = contiguous(cotangent);
    }
    if (k == id) {
      cotangent_ = std::move(cotangent);
    } else {
      more_cotangents_.push_back(std::move(cotangent));
    }
  }
}

TensorView FusedRule::input(int i) const {
  return view_of(engine_.saved_value(id_, node_.inputs()[i], i));
}

TensorView FusedRule::output(int k) const {
  return view_of(engine_.saved_value(id_, id_ + static_cast<std::uint32_t>(k), -1));
}

TensorView FusedRule::cotangent(int k) const {
  const Var& chosen = k == 0 ? cotangent_ : more_cotangents_[static_cast<std::size_t>(k) - 1];
  return chosen ? view_of(chosen.get()) : TensorView{};
}

bool FusedRule::needs(int i) const {
  return node_.op->is_differentiable(i) && engine_.needs(node_.inputs()[i]);
}

BackwardContext::Destination FusedRule::gradient(int i) {
  const std::uint32_t id = node_.inputs()[i];
  Value* slot = engine_.table_[id];
  if (slot != nullptr && detail::is_sole_owner(slot) && !slot->has(Value::kStrided) &&
      engine_.options_.observer == nullptr)
    return {view_of(slot), true};
  const Value* like = engine_.tape_.node(id).value;
  fresh(i) = Var::take(detail::new_dense(like->dtype, like->rank, like->sizes()));
  return {view_of(fresh(i).get()), false};
}

void FusedRule::deliver() {
  for (int i = 0; i < node_.input_count; ++i) {
    if (!fresh(i)) continue;
    engine_.observe_edge(id_, i, fresh(i));
    engine_.accumulate(node_.inputs()[i], fresh(i).release());
  }
}

void add_in_place(Value* slot, const Value* given, std::int64_t count) {
  const auto kernel = ops::add_op.elementwise->kernels->forward[static_cast<int>(slot->dtype)];
  const void* in[] = {slot->data, given->data};
  kernel(in, slot->data, count, nullptr);
}

}  // namespace wengert
