#include "wengert/autodiff/rules.h"

#include <utility>

#include "wengert/graph/thread_state.h"
#include "wengert/ops/ops.h"
#include "wengert/ops/records.h"

namespace wengert {

using detail::t_state;
using detail::Value;

DerivativeSite::DerivativeSite(Tape& tape, std::uint32_t id, bool recorded)
    : tape_(tape),
      recorded_(recorded),
      derivative_(recorded ? tape.begin_derivative(id) : 0),
      scope_(std::exchange(t_state.scope, std::uint32_t{tape.node(id).scope})),
      location_(std::exchange(t_state.location, tape.node(id).where)),
      overrode_(std::exchange(t_state.overrides_location, true)) {
  if (!recorded) ++t_state.recording_off;
}

DerivativeSite::~DerivativeSite() {
  if (recorded_) tape_.end_derivative(derivative_);
  t_state.scope = scope_;
  t_state.location = location_;
  t_state.overrides_location = overrode_;
  if (!recorded_) --t_state.recording_off;
}

RecordedRule::RecordedRule(Engine& engine, std::uint32_t id)
    : engine_(engine), id_(id), node_(engine.tape_.node(id)), gradients_(node_.input_count) {}

std::uint32_t RecordedRule::input_id(int i) const {
  if (i < 0 || i >= node_.input_count) [[unlikely]] {
    engine_.fail(
        ErrorKind::kInternal,
        "its vjp asks for input " + std::to_string(i) + " of " + std::to_string(node_.input_count),
        "", std::string(node_.op->name));
  }
  return node_.inputs()[i];
}

std::uint32_t RecordedRule::output_id(int k) const {
  const std::uint32_t id = id_ + static_cast<std::uint32_t>(k);
  if (k < 0 || id >= engine_.tape_.size() || engine_.tape_.node(id).output != k) [[unlikely]] {
    engine_.fail(ErrorKind::kInternal,
                 "its vjp asks for an output that it does not have: " + std::to_string(k), "",
                 std::string(node_.op->name));
  }
  return id;
}

bool RecordedRule::has(int i) const {
  return i < node_.input_count && !engine_.tape_.node(input_id(i)).value->is_absent();
}

Var RecordedRule::input(int i) const {
  return Var::share(engine_.saved_value(id_, input_id(i), i));
}

Var RecordedRule::output(int k) const { return Var::share(engine_.saved_output(id_, k)); }

Var RecordedRule::cotangent(int k) const {
  Value* value = engine_.table_[output_id(k)];
  return value == nullptr ? Var() : Var::share(value);
}

bool RecordedRule::needs(int i) const {
  const std::uint32_t id = input_id(i);
  return engine_.needs_input(*node_.op, i, id, engine_.tape_.node(id).value);
}

Var RecordedRule::take_pending(int i) {
  return Var::take(std::exchange(engine_.table_[input_id(i)], nullptr));
}

void RecordedRule::set(int i, Var gradient) {
  input_id(i);
  gradients_[static_cast<std::size_t>(i)] = std::move(gradient);
}

bool RecordedRule::takes_rows(int i) const { return needs(i) && engine_.takes_rows(input_id(i)); }

void RecordedRule::add_rows(int i, const Var& indices, const Var& rows) {
  rows_.push_back({i, part_of(i, indices, rows)});
}

detail::RowPart RecordedRule::part_of(int i, const Var& indices, const Var& rows) const {
  const auto fail = [&](const std::string& what) {
    engine_.fail(ErrorKind::kInternal, "its vjp adds rows to input " + std::to_string(i) + what,
                 "add_rows(i, indices, rows) takes int32 or int64 [k] and [k, …] of the input's "
                 "dtype and further sizes, where takes_rows(i)",
                 std::string(node_.op->name));
  };
  if (!takes_rows(i)) fail(", which takes none");
  const Value* target = engine_.tape_.node(node_.inputs()[i]).value;
  const Shape whole = shape(i);
  const DType kind = indices.dtype();
  Shape expected = whole;
  if (indices.rank() == 1) expected[0] = indices.size(0);
  if ((kind != DType::kInt32 && kind != DType::kInt64) || indices.rank() != 1 ||
      rows.dtype() != target->dtype || !(rows.shape() == expected)) {
    fail(", " + to_string(target->dtype, whole) + ": " + to_string(rows.dtype(), rows.shape()) +
         " at " + to_string(kind, indices.shape()));
  }
  detail::RowPart part;
  const std::int64_t bad = detail::read_positions(indices.value(), whole[0], part.indices);
  if (bad >= 0) {
    fail(", " + to_string(target->dtype, whole) + ", at position " +
         std::to_string(part.indices[static_cast<std::size_t>(bad)]));
  }
  part.rows = rows.value().contiguous();
  return part;
}

Shape RecordedRule::shape(int i) const { return engine_.tape_.shape(input_id(i)); }

Shape RecordedRule::output_shape(int k) const { return engine_.tape_.shape(output_id(k)); }

DType RecordedRule::dtype(int i) const { return engine_.tape_.dtype(input_id(i)); }

namespace {

bool broadcasts_to(const Value* from, const Value* to) {
  for (int d = 1; d <= from->rank; ++d) {
    const std::int64_t size = from->sizes()[from->rank - d];
    if (size != 1 && (d > to->rank || size != to->sizes()[to->rank - d])) return false;
  }
  return true;
}

/// Whether `given` is summed down to `target` along axes of the output alone, as broadcasting makes
/// them; those of size 1 do no harm.
bool sums_to(const Value* given, const Value* target, const Value* output) {
  for (int d = 1; d <= given->rank; ++d) {
    const auto size_of_axis = [d](const Value* value) {
      return d > value->rank ? std::int64_t{1} : value->sizes()[value->rank - d];
    };
    const std::int64_t size = size_of_axis(given), wanted = size_of_axis(target);
    if (size == wanted || size == 1) continue;
    if (wanted != 1 || d > output->rank || size_of_axis(output) != size) return false;
  }
  return true;
}

}  // namespace

void RecordedRule::check_fit(int i, const Var& gradient) const {
  const Value* given = gradient.get();
  const Value* target = engine_.tape_.node(node_.inputs()[i]).value;
  bool fits = given->has(Value::kWeak) || given->dtype == target->dtype;
  if (fits && !broadcasts_to(given, target)) {
    fits = false;
    const Tape& tape = engine_.tape_;
    for (std::uint32_t k = id_; k < tape.size() && (k == id_ || tape.node(k).output > 0); ++k) {
      fits |= sums_to(given, target, tape.node(k).value);
    }
  }
  if (fits) return;
  engine_.fail(ErrorKind::kInternal,
               "its vjp gives input " + std::to_string(i) + ", " +
                   to_string(target->dtype, {target->sizes(), target->rank}) + ", the gradient " +
                   to_string(given->dtype, {given->sizes(), given->rank}),
               "set(i, g) takes a g of the input's dtype, and of the input's or the output's shape",
               std::string(node_.op->name));
}

void RecordedRule::deliver_rows(int i, Gradient& sent) {
  for (Rows& rows : rows_) {
    if (rows.input != i) continue;
    if (engine_.watched_) {
      const detail::RowPart& part = rows.part;
      const auto count = static_cast<std::int64_t>(part.indices.size());
      sent += Gradient::of_rows(Tensor::from(part.indices, {count}), part.rows, shape(i));
    }
    engine_.add_rows(node_.inputs()[i], std::move(rows.part));
  }
}

void RecordedRule::deliver() {
  for (int i = 0; i < node_.input_count; ++i) {
    Gradient sent;
    if (!rows_.empty()) deliver_rows(i, sent);
    if (gradients_[i].has_value() && needs(i)) {
      const std::uint32_t id = node_.inputs()[i];
      check_fit(i, gradients_[i]);
      Var fitted = engine_.fit(id, std::move(gradients_[i]));
      if (engine_.watched_) sent += fitted;
      engine_.accumulate(id, fitted.release());
    }
    if (sent.has_value()) engine_.observe_edge(id_, i, sent);
  }
}

void add_in_place(Value* slot, const Value* given, std::int64_t count) {
  const auto kernel = ops::add_op.elementwise->kernels->forward[static_cast<int>(slot->dtype)];
  const void* in[] = {slot->data, given->data};
  kernel(in, slot->data, count, nullptr);
}

}  // namespace wengert
