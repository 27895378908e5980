#include <string>
#include <utility>
#include <vector>

#include "wengert/graph/numbers.h"
#include "wengert/graph/op.h"
#include "wengert/graph/operands.h"
#include "wengert/graph/outputs.h"
#include "wengert/graph/quick_path.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/thread_state.h"
#include "wengert/graph/value_pool.h"

namespace wengert {
namespace {

using detail::compute;
using detail::compute_elementwise;
using detail::fail_call;
using detail::gather;
using detail::meet_tape;
using detail::misplaced;
using detail::Operands;
using detail::reads_of;
using detail::resolve;
using detail::Results;
using detail::rethrow_located;
using detail::settle_numbers;
using detail::t_state;
using detail::takes_any_layout;
using detail::Value;

/// Marks the results as depending on variables, where gradients can flow.
void mark_requiring_grad(const OpDef& op, std::span<Value* const> outputs) {
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    if (is_floating(outputs[k]->dtype) && !detail::in_set(op.discrete_outputs, static_cast<int>(k)))
      outputs[k]->flags |= Value::kRequiresGrad;
  }
}

/// Appends the call; leaves among its inputs become nodes only here, after it has succeeded.
void record(Tape& tape, const OpDef& op, Operands& operands, const void* attributes,
            std::span<Value* const> outputs, std::source_location where) {
  if (operands.extra != nullptr) {
    for (const auto& [i, number] : operands.extra->numbers) {
      operands.values[i] = tape.number(number, operands.values[i]->dtype, op, resolve(where));
    }
  }
  for (Value*& value : operands.values) {
    if (value->serial != tape.serial()) [[unlikely]] {
      value = tape.adopt(value, op, resolve(where));
    }
  }
  detail::Saves saves;
  for (const Value* value : operands.values) {
    for (Value* output : outputs) output->flags |= value->flags & Value::kDerivative;
  }
  if (operands.requires_grad) {
    saves = detail::saves_of(reads_of(op, operands.values));
    mark_requiring_grad(op, outputs);
  }
  const std::uint32_t id =
      tape.append(op, operands.values, attributes, outputs, saves, resolve(where));
  if (tape.is_watched()) [[unlikely]] {
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      tape.inspect(id + static_cast<std::uint32_t>(k));
    }
  }
}

Tape* recording_tape() { return t_state.recording_off > 0 ? nullptr : t_state.tape; }

/// What a call of several nodes has put on the tape; taken back unless the call succeeds.
class Attempt {
 public:
  Attempt() : tape_(recording_tape()), first_(tape_ == nullptr ? 0 : tape_->size()) {}
  ~Attempt() {
    if (tape_ != nullptr) tape_->take_back(first_);
  }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
  void succeed() { tape_ = nullptr; }

 private:
  Tape* tape_;
  std::uint32_t first_;
};

/// A composite's call, in a scope of its name. What its parts reject is told in its own name.
Var expand(const OpDef& op, std::span<const Var* const> inputs, Operands& operands,
           const void* attributes, std::source_location where) {
  where = resolve(where);
  const ExpandContext context(op, operands.values, attributes, where, inputs);
  if (const Tape* tape = recording_tape()) meet_tape(operands, op, *tape, where);
  Attempt attempt;
  try {
    const Scope scope(op.name);
    Var result = op.expand(context);
    attempt.succeed();
    return result;
  } catch (const Error& error) {
    if (error.op() == op.name || error.op().empty()) throw;
    std::string given;
    for (int i = 0; i < context.input_count(); ++i) {
      given += (i == 0 ? "" : ", ") + context.describe(i);
    }
    fail_call(op, error.kind(), error.op() + ": " + error.message() + "; its operands are " + given,
              error.fix(), where);
  }
}

/// Inputs with dense copies in the place of those in the set.
struct Relaid {
  std::vector<Var> copies;
  std::vector<const Var*> inputs;
  Relaid(std::span<const Var* const> given, std::uint32_t set, std::source_location where)
      : inputs(given.begin(), given.end()) {
    copies.reserve(given.size());
    for (std::size_t i = 0; i < given.size(); ++i) {
      if (!detail::in_set(set, static_cast<int>(i))) continue;
      if (!given[i]->has_value() || !given[i]->get()->has(Value::kStrided)) continue;
      copies.push_back(apply(ops::contiguous_op, *given[i], where));
      inputs[i] = &copies.back();
    }
  }
};

/// What an elementwise op is of numbers alone, which stay one; empty where operands are others.
Var compute_number(const OpDef& op, const Operands& operands, const void* attributes,
                   std::source_location where) {
  if (op.elementwise == nullptr || op.elementwise->predicate) return {};
  for (const Value* value : operands.values) {
    if (!value->has(Value::kWeak)) return {};
  }
  if (op.check != nullptr) op.check(OpCall(op, operands.values, attributes, resolve(where)));
  return detail::compute_numbers(op, operands.values, attributes, resolve(where));
}

/// Puts constants that the tape has in the place of numbers; others have yet to be made, which must
/// leave nothing where the call then fails.
void take_known_numbers(Operands& operands, const OpDef& op, Tape& tape) {
  const DType dtype = detail::dtype_of_numbers(operands.values, op);
  for (Value*& value : operands.values) {
    if (!value->has(Value::kWeak)) continue;
    if (Value* known = detail::QuickPath::known_number(tape, value, dtype)) value = known;
  }
}

/// Every call that the quick path leaves.
void apply_general(const OpDef& op, std::span<const Var* const> inputs, const void* attributes,
                   std::source_location where, int wanted, Results& results) {
  if (attributes == nullptr) attributes = op.default_attributes;
  Operands operands(inputs.size());
  const std::uint8_t flags = gather(operands, op, inputs, attributes, where);
  if (op.infer == nullptr) return results.take(expand(op, inputs, operands, attributes, where));
  Tape* tape = recording_tape();
  if ((flags & Value::kWeak) != 0) {
    Var number = compute_number(op, operands, attributes, where);
    if (number.has_value()) return results.take(std::move(number));
    if (tape != nullptr) take_known_numbers(operands, op, *tape);
    settle_numbers(operands, op, where);
  }
  std::uint32_t copied = 0;
  if ((flags & Value::kStrided) != 0 && !takes_any_layout(op)) {
    copied = misplaced(op, operands.values);
  }
  if (copied == 0) {
    try {
      if (tape != nullptr) meet_tape(operands, op, *tape, where);
      Value* value = nullptr;
      if (op.elementwise != nullptr) {
        if (op.check != nullptr) op.check(OpCall(op, operands.values, attributes, resolve(where)));
        value = compute_elementwise(*op.elementwise, operands.values, attributes);
      }
      if (value != nullptr) {
        results.take(Var::take(value));
      } else {
        copied = compute(op, operands.values, attributes, resolve(where), wanted, results);
      }
      if (copied == 0 && results.size() > 0) {
        if (tape != nullptr) {
          record(*tape, op, operands, results.attributes(attributes), results.raw(), where);
        }
        return;
      }
    } catch (...) {
      rethrow_located(op, operands.values, where);
    }
    if (copied == 0) {
      return results.take(expand(op, inputs, operands, attributes, where));
    }
  }
  Attempt attempt;
  const Relaid relaid(inputs, copied, where);
  apply_general(op, relaid.inputs, attributes, where, wanted, results);
  attempt.succeed();
}

Var apply_to_one(const OpDef& op, std::span<const Var* const> inputs, const void* attributes,
                 std::source_location where) {
  Results results;
  apply_general(op, inputs, attributes, where, 1, results);
  return std::move(results[0]);
}

}  // namespace

Var apply(const OpDef& op, const Var& x, std::source_location where) {
  Value* const in[] = {x.get()};
  if (Value* value = detail::run_quick(op, in, nullptr, where)) return Var::take(value);
  const Var* inputs[] = {&x};
  return apply_to_one(op, inputs, nullptr, where);
}

Var apply(const OpDef& op, const Var& a, const Var& b, std::source_location where) {
  Value* const in[] = {a.get(), b.get()};
  if (Value* value = detail::run_quick(op, in, nullptr, where)) return Var::take(value);
  const Var* inputs[] = {&a, &b};
  return apply_to_one(op, inputs, nullptr, where);
}

Var apply(const OpDef& op, std::span<const Var* const> inputs, const void* attributes,
          std::source_location where) {
  if (op.optional != 0) inputs = inputs.first(detail::count_given(op, inputs));
  Value* value = nullptr;
  if (inputs.size() == 1) {
    value = detail::run_quick(op, {inputs[0]->get()}, attributes, where);
  } else if (inputs.size() == 2) {
    value = detail::run_quick(op, {inputs[0]->get(), inputs[1]->get()}, attributes, where);
  } else if (inputs.size() == 3) {
    value = detail::run_quick(op, {inputs[0]->get(), inputs[1]->get(), inputs[2]->get()},
                              attributes, where);
  }
  if (value != nullptr) return Var::take(value);
  return apply_to_one(op, inputs, attributes, where);
}

std::vector<Var> apply_multiple(const OpDef& op, std::span<const Var* const> inputs,
                                const void* attributes, std::source_location where) {
  Results results;
  apply_general(op, inputs, attributes, where, -1, results);
  std::vector<Var> visible(results.size() - results.hidden(op));
  for (std::size_t k = 0; k < visible.size(); ++k) visible[k] = std::move(results[k]);
  return visible;
}

void apply_into(std::span<Var> outputs, const OpDef& op, std::span<const Var* const> inputs,
                const void* attributes, std::source_location where) {
  Results results;
  apply_general(op, inputs, attributes, where, static_cast<int>(outputs.size()), results);
  for (std::size_t k = 0; k < outputs.size(); ++k) outputs[k] = std::move(results[k]);
}

std::vector<Var> apply_all(const OpDef& op, std::span<const Var* const> inputs,
                           const void* attributes, std::source_location where) {
  Results results;
  apply_general(op, inputs, attributes, where, -1, results);
  std::vector<Var> all(results.size());
  for (std::size_t k = 0; k < all.size(); ++k) all[k] = std::move(results[k]);
  return all;
}

std::vector<InferContext::Output> infer(const OpDef& op, std::span<const Var* const> inputs,
                                        const void* attributes, std::source_location where) {
  if (attributes == nullptr) attributes = op.default_attributes;
  Operands operands(inputs.size());
  if ((gather(operands, op, inputs, attributes, where) & Value::kWeak) != 0) {
    const Var number = compute_number(op, operands, attributes, where);
    if (number.has_value()) return {{.dtype = number.dtype(), .shape = {}, .strides = {}}};
    settle_numbers(operands, op, where);
  }
  if (op.infer == nullptr) {
    fail_call(op, ErrorKind::kValue, "is made of other ops, which infer each for itself",
              "call it, and look at the shape of what it gives", where);
  }
  try {
    InferContext inferred(op, operands.values, attributes, resolve(where));
    op.infer(inferred);
    return {inferred.outputs().begin(), inferred.outputs().end()};
  } catch (...) {
    rethrow_located(op, operands.values, where);
  }
}

}  // namespace wengert
