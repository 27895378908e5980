#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <vector>

#include "wengert/graph/call_site.h"
#include "wengert/graph/numbers.h"
#include "wengert/graph/op.h"
#include "wengert/graph/operands.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/thread_state.h"
#include "wengert/graph/value_pool.h"

namespace wengert {
namespace {

using detail::fail_call;
using detail::gather;
using detail::meet_tape;
using detail::misplaced;
using detail::Node;
using detail::Operands;
using detail::reads_of;
using detail::resolve;
using detail::settle_numbers;
using detail::t_state;
using detail::takes_any_layout;
using detail::Value;

constexpr std::int64_t kSmall = 4096;  // elements up to which an elementwise call skips the driver

/// Elementwise on few elements of operands of one dtype and shape that lie without gaps in one
/// order of axes, not row-major. Null for others.
[[gnu::noinline]] Value* compute_permuted(const ElementwiseOp& op, std::span<Value* const> in,
                                          const void* attributes) {
  const Value* first = in[0];
  if (!first->has(Value::kPermuted)) return nullptr;
  const std::int64_t count = first->count();
  if (count > kSmall) return nullptr;
  const void* data[4];
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i]->dtype != first->dtype || in[i]->rank != first->rank ||
        !std::equal(in[i]->sizes(), in[i]->sizes() + first->rank, first->sizes()) ||
        !detail::same_places(in[i], first)) {
      return nullptr;
    }
    data[i] = in[i]->data;
  }
  const auto kernel = op.kernels->forward[static_cast<int>(first->dtype)];
  if (kernel == nullptr) return nullptr;
  Value* value = detail::new_in_order_of(first, op.predicate ? DType::kBool : first->dtype);
  kernel(data, value->data, count, attributes);
  return value;
}

/// Elementwise on few elements of dense operands of one dtype and shape: straight to the kernel.
/// Null for others. Inputs is an array or a span.
template <class Inputs>
[[gnu::always_inline]] inline Value* compute_elementwise(const ElementwiseOp& op, const Inputs& in,
                                                         const void* attributes) {
  const std::size_t inputs = std::size(in);
  const Value* first = in[0];
  if (first->has(Value::kStrided)) [[unlikely]]
    return compute_permuted(op, in, attributes);
  const int rank = first->rank;
#pragma GCC unroll 3
  for (std::size_t i = 1; i < inputs; ++i) {
    if (in[i]->dtype != first->dtype || in[i]->rank != rank || in[i]->has(Value::kStrided)) {
      return nullptr;
    }
  }
  std::int64_t count = 1;
  for (int d = 0; d < rank; ++d) {
    const std::int64_t size = first->sizes()[d];
    for (std::size_t i = 1; i < inputs; ++i) {
      if (in[i]->sizes()[d] != size) return nullptr;
    }
    if (size > kSmall) return nullptr;
    count *= size;
    if (count > kSmall) return nullptr;
  }
  const auto kernel = op.kernels->forward[static_cast<int>(first->dtype)];
  if (kernel == nullptr) return nullptr;
  Value* value = detail::take_header(op.predicate ? DType::kBool : first->dtype, rank, false);
  for (int d = 0; d < rank; ++d) value->sizes()[d] = first->sizes()[d];
  detail::attach_data(value, count);
  value->counts = Value::kHandle;
  const void* data[4];
  for (std::size_t i = 0; i < inputs; ++i) data[i] = in[i]->data;
  kernel(data, value->data, count, attributes);
  return value;
}

/// The same for an op that is an elementwise one on [1,1] operands.
template <std::size_t kInputs>
[[gnu::always_inline]] inline Value* compute_single(const ElementwiseOp& op,
                                                    Value* const (&in)[kInputs]) {
  for (const Value* value : in) {
    if (value->rank != 2 || value->sizes()[0] != 1 || value->sizes()[1] != 1) return nullptr;
  }
  return compute_elementwise(op, in, nullptr);
}

/// Whether the elements of a view lie inside the memory that it shares.
bool lies_inside(const Value* viewed, const InferContext::Output& view) {
  const bool inside_header = viewed->has(Value::kInline);
  const std::byte* memory = inside_header ? viewed->scalar : viewed->storage->data;
  const std::size_t bytes = inside_header ? sizeof viewed->scalar : viewed->storage->bytes;
  const auto size = static_cast<std::int64_t>(size_of(view.dtype));
  std::int64_t lowest = view.offset, highest = view.offset, reach = 0;
  for (int d = 0; d < view.shape.size(); ++d) {
    std::int64_t& end = view.strides[d] < 0 ? lowest : highest;
    if (__builtin_mul_overflow(view.shape[d] - 1, view.strides[d], &reach) ||
        __builtin_add_overflow(end, reach, &end)) {
      return false;
    }
  }
  const std::int64_t before = (viewed->data - memory) / size;  // elements in front of the input's
  return lowest >= -before && highest < static_cast<std::int64_t>(bytes) / size - before;
}

/// A header that shares `viewed`'s memory (a copy of it, when that lies inside the header).
Value* make_view(Value* viewed, const InferContext::Output& spec) {
  const int rank = spec.shape.size();
  if (element_count(spec.shape) > 0 && !lies_inside(viewed, spec)) {
    throw Error(ErrorKind::kInternal, "view",
                "its infer makes a view " + spec.shape.str() + " with strides " +
                    spec.strides.str() + " from element " + std::to_string(spec.offset) +
                    " that leaves the memory of " +
                    to_string(viewed->dtype, {viewed->sizes(), viewed->rank}));
  }
  const Packing packing = packing_of(spec.shape, spec.strides);
  const bool dense = packing == Packing::kRowMajor;
  Value* value = detail::take_header(spec.dtype, rank, !dense);
  if (packing == Packing::kPermuted) value->flags |= Value::kPermuted;
  for (int d = 0; d < rank; ++d) {
    value->sizes()[d] = spec.shape[d];
    if (!dense) value->strides()[d] = spec.strides[d];
  }
  value->counts = Value::kHandle;
  const std::int64_t offset = spec.offset * static_cast<std::int64_t>(size_of(spec.dtype));
  if (viewed->has(Value::kInline)) {
    value->flags |= Value::kInline;
    std::memcpy(value->scalar, viewed->scalar, sizeof value->scalar);
    value->data = value->scalar + (viewed->data - viewed->scalar) + offset;
  } else {
    detail::retain(viewed->storage);
    value->storage = viewed->storage;
    value->data = viewed->data + offset;
    value->version = viewed->version;
  }
  return value;
}

/// The first operand of the output's shape that lies without gaps, if not row-major; else null.
const Value* orders(std::span<Value* const> inputs, const InferContext::Output& spec) {
  for (const Value* value : inputs) {
    if (value->rank != spec.shape.size() ||
        !std::equal(value->sizes(), value->sizes() + value->rank, spec.shape.data())) {
      continue;
    }
    if (!value->has(Value::kStrided)) return nullptr;
    if (value->has(Value::kPermuted)) return value;
  }
  return nullptr;
}

/// Output k as `spec` states it, uninitialized unless it is a view.
Value* make_output(const OpDef& op, std::span<Value* const> inputs,
                   const InferContext::Output& spec, int k) {
  if (spec.viewed_input >= 0) return make_view(inputs[spec.viewed_input], spec);
  if (detail::in_set(op.keeps_order, k)) {
    if (const Value* like = orders(inputs, spec)) return detail::new_in_order_of(like, spec.dtype);
  }
  return detail::new_dense(spec.dtype, spec.shape.size(), spec.shape.data());
}

/// From inside a handler: what went wrong below the op's own checks gets the op, the scope and the
/// line. Out of line, so that quick calls keep a small frame.
[[noreturn, gnu::noinline, gnu::cold]] void rethrow_located(const OpDef& op,
                                                            std::span<Value* const> values,
                                                            std::source_location where) {
  try {
    throw;
  } catch (const Error& error) {
    if (error.is_located()) throw;
    fail_call(op, error.kind(), error.message(), error.fix(), where);
  } catch (const std::exception& error) {
    // A list of the library's own that cannot be so long is no other case.
    if (dynamic_cast<const std::bad_alloc*>(&error) == nullptr &&
        dynamic_cast<const std::length_error*>(&error) == nullptr) {
      throw;
    }
    std::string inputs;
    for (const Value* value : values) {
      inputs += (inputs.empty() ? " for inputs " : ", ") +
                to_string(value->dtype, {value->sizes(), value->rank});
    }
    fail_call(op, ErrorKind::kMemory, "the system has no memory left for the result" + inputs,
              detail::advice_on_memory(), where);
  }
}

/// Fails unless the record computes what it infers.
inline void check_outputs(const InferContext& call, bool computed) {
  if (call.outputs().empty()) call.fail(ErrorKind::kInternal, "its infer states no output");
  if (computed && call.op().evaluate == nullptr) {
    call.fail(ErrorKind::kInternal, "its record has no evaluate, but its output is no view");
  }
}

/// An op with one output, visible. Kept out of the quick path, whose frame would grow by the
/// contexts'. Null where inputs must be copied first.
[[gnu::noinline]] Value* compute_one(const OpDef& op, std::span<Value* const> inputs,
                                     const void* attributes, std::source_location where) {
  InferContext inferred(op, inputs, attributes, where);
  op.infer(inferred);
  if (inferred.wants_dense() != 0 || inferred.wants_expansion()) [[unlikely]]
    return nullptr;
  const auto outputs = inferred.outputs();
  check_outputs(inferred, outputs.size() == 1 && outputs[0].viewed_input < 0);
  if (outputs.size() > 1) [[unlikely]]
    return nullptr;
  const InferContext::Output& spec = outputs[0];
  Var result = Var::take(make_output(op, inputs, spec, 0));
  if (spec.viewed_input < 0) {
    Value* raw[] = {result.get()};
    EvalContext context(op, inputs, attributes, where, raw);
    op.evaluate(context);
  }
  return result.release();
}

/// The outputs of one call; usual ones stay off the heap.
class Results {
 public:
  std::size_t size() const { return count_; }
  /// How many of them the caller does not see; what a composite gives are its parts' results.
  std::size_t hidden(const OpDef& op) const { return op.is_composite() ? 0 : op.hidden_outputs; }
  Var& operator[](std::size_t k) { return many_.empty() ? few_[k] : many_[k]; }
  std::span<Value* const> raw() const {
    return {many_.empty() ? few_raw_ : many_raw_.data(), count_};
  }
  /// Makes what `inferred` states.
  void make(const InferContext& inferred, std::span<Value* const> inputs) {
    const auto specs = inferred.outputs();
    if (specs.size() > kFew) {
      many_.resize(specs.size());
      many_raw_.resize(specs.size());
    }
    for (const InferContext::Output& spec : specs) {
      Value* value = make_output(inferred.op(), inputs, spec, static_cast<int>(count_));
      (many_.empty() ? few_raw_[count_] : many_raw_[count_]) = value;
      (*this)[count_] = Var::take(value);
      ++count_;
    }
  }
  void take(Var result) {
    few_raw_[0] = result.get();
    few_[0] = std::move(result);
    count_ = 1;
  }

 private:
  static constexpr std::size_t kFew = 3;
  std::size_t count_ = 0;
  Var few_[kFew];
  Value* few_raw_[kFew];
  std::vector<Var> many_;
  std::vector<Value*> many_raw_;
};

/// Infers and computes `wanted` visible outputs (−1: however many); gives the inputs that must be
/// copied first, and then did nothing, as where the call is made of other ops.
std::uint32_t compute(const OpDef& op, std::span<Value* const> inputs, const void* attributes,
                      std::source_location where, int wanted, Results& results) {
  InferContext inferred(op, inputs, attributes, where);
  op.infer(inferred);
  if (inferred.wants_expansion() && op.expand == nullptr) {
    inferred.fail(ErrorKind::kInternal, "its infer asks for an expansion that its record lacks");
  }
  if (const std::uint32_t wanted_dense = inferred.wants_dense(); wanted_dense != 0) {
    bool strided = false;
    for (int i = 0; i < inferred.input_count(); ++i) {
      strided |= detail::in_set(wanted_dense, i) && inputs[i]->has(Value::kStrided);
    }
    if (!strided) {
      inferred.fail(ErrorKind::kInternal, "its infer asks for dense copies of what is dense");
    }
    return wanted_dense;
  }
  if (inferred.wants_expansion()) return 0;
  bool computed = false;
  for (const InferContext::Output& spec : inferred.outputs()) computed |= spec.viewed_input < 0;
  check_outputs(inferred, computed);
  const int visible = static_cast<int>(inferred.outputs().size()) - op.hidden_outputs;
  if (visible < 1 || (wanted >= 0 && visible != wanted)) {
    inferred.fail(ErrorKind::kInternal,
                  "gives " + std::to_string(visible) + " visible outputs where " +
                      std::to_string(wanted) + " are asked for",
                  "apply takes ops with one output, apply_multiple all");
  }
  results.make(inferred, inputs);
  if (!computed) return 0;
  EvalContext context(op, inputs, attributes, where, results.raw());
  op.evaluate(context);
  return 0;
}

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

}  // namespace

namespace detail {

/// Ops with up to three inputs, all on the live tape or numbers beside such, and one output: nearly
/// every call. One pass without lists or function calls but the op's own; gives null where anything
/// is out of the ordinary, and the general path takes over.
struct QuickPath {
  template <int kInputs>
  static Value* run(const OpDef& op, Value* const (&given)[kInputs], const void* attributes,
                    std::source_location where) {
    ThreadState& state = t_state;
    Tape* tape = state.tape;
    if (tape == nullptr || state.recording_off != 0 || tape->watched_ || kInputs < op.min_inputs ||
        (op.max_inputs >= 0 && kInputs > op.max_inputs) ||
        (op.attributes != nullptr) != (attributes != nullptr)) {
      return nullptr;
    }
    std::uint8_t flags = 0;
    Value* in[kInputs];
    bool elsewhere = false;
#pragma GCC unroll 3
    for (int i = 0; i < kInputs; ++i) {
      if (given[i] == nullptr) return nullptr;
      in[i] = given[i];
      elsewhere |= in[i]->serial != tape->serial_;
      flags |= in[i]->flags;
    }
    if (op.infer == nullptr) return nullptr;
    if (elsewhere || (flags & Value::kWeak) != 0) {
      if ((flags & Value::kWeak) == 0 || !settle(*tape, op, in, where)) return nullptr;
    }
    Value* value = nullptr;
    if (op.elementwise != nullptr) {
      if (op.check != nullptr) op.check(OpCall(op, in, attributes, resolve(where)));
      value = compute_elementwise(*op.elementwise, in, attributes);
    } else if (op.single_element != nullptr && attributes == nullptr) {
      value = compute_single(*op.single_element, in);
    }
    if (value == nullptr) {
      if ((flags & Value::kStrided) != 0 && !takes_any_layout(op) && misplaced(op, in) != 0) {
        return nullptr;
      }
      value = compute_one(op, in, attributes, resolve(where));
      if (value == nullptr) return nullptr;
    }
    commit(*tape, op, in, attributes, flags, value, where);
    return value;
  }

 private:
  /// Puts the tape's constants in the place of numbers; false where not all else is on the tape.
  template <int kInputs>
  [[gnu::noinline]] static bool settle(Tape& tape, const OpDef& op, Value* (&in)[kInputs],
                                       std::source_location where) {
    const Value* partner = nullptr;
    for (const Value* value : in) {
      if (value->has(Value::kWeak)) continue;
      if (value->serial != tape.serial_ || !is_floating(value->dtype)) return false;
      if (partner == nullptr) partner = value;
    }
    if (partner == nullptr) return false;
    for (Value*& value : in) {
      if (value->has(Value::kWeak)) value = tape.number(value, partner->dtype, op, resolve(where));
    }
    return true;
  }

  /// As a whole, so that what lay there before need not come in.
  [[gnu::always_inline]] static void write(Node& node, const OpDef& op, std::source_location where,
                                           void* attributes, Value* value, std::uint8_t saved,
                                           int inputs) {
    node = {.op = &op,
            .where = where,
            .attributes = attributes,
            .value = value,
            .scope = t_state.scope,
            .saved = saved,
            .input_count = static_cast<std::uint16_t>(inputs),
            .output = 0,
            .few_inputs = {}};
  }

  /// Puts the call on the tape; `value` has one handle, the caller's.
  template <int kInputs>
  [[gnu::always_inline]] static void commit(Tape& tape, const OpDef& op,
                                            Value* const (&in)[kInputs], const void* attributes,
                                            std::uint8_t flags, Value* value,
                                            std::source_location where) {
    Node* node;
    void* kept = nullptr;
    try {
      if (attributes != nullptr) kept = tape.keep(op, attributes);
      node = &tape.next_node();
    } catch (...) {
      drop(value);
      throw;
    }
    std::uint8_t saved = 0;
    value->flags |= flags & Value::kDerivative;
    hold(value, Value::kHeader);
    if ((flags & Value::kRequiresGrad) != 0) {
      std::uint32_t reads = 0;
      bool requires_grad = false;
#pragma GCC unroll 3
      for (int i = 0; i < kInputs; ++i) {
        if (!in[i]->has(Value::kRequiresGrad) || !op.is_differentiable(i)) continue;
        reads |= op.reads[i];
        requires_grad = true;
      }
      if (requires_grad && is_floating(value->dtype) && (op.discrete_outputs & 1) == 0) {
        value->flags |= Value::kRequiresGrad;
      }
      if ((reads & kReadsAllInputs) != 0) reads |= (1u << kInputs) - 1;
#pragma GCC unroll 3
      for (int i = 0; i < kInputs; ++i) {
        if ((reads & reads_input(i)) == 0) continue;
        hold(in[i], Value::kData);
        saved |= static_cast<std::uint8_t>(1u << i);
      }
      if ((reads & (kReadsOutputs | reads_output(0))) != 0) {
        hold(value, Value::kData);
        saved |= kSavedOutput;
      }
    }
    write(*node, op, resolve(where), kept, value, saved, kInputs);
    for (int i = 0; i < kInputs; ++i) node->few_inputs[i] = in[i]->id;
    value->serial = tape.serial_;
    value->id = tape.commit();
  }
};

/// The quick path of a call with that many inputs, or null.
template <int kInputs>
Value* run_quick(const OpDef& op, Value* const (&in)[kInputs], const void* attributes,
                 std::source_location where) {
  try {
    return QuickPath::run(op, in, attributes, where);
  } catch (...) {
    rethrow_located(op, in, where);
  }
}

}  // namespace detail

namespace {

/// A composite's call, in a scope of its name. What its parts reject is told in its own name.
Var expand(const OpDef& op, std::span<const Var* const> inputs, Operands& operands,
           const void* attributes, std::source_location where) {
  where = resolve(where);
  const ExpandContext context(op, operands.values, attributes, where, inputs);
  try {
    const Scope scope(op.name);
    return op.expand(context);
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
      if (!given[i]->get()->has(Value::kStrided)) continue;
      copies.push_back(apply(ops::contiguous_op, *given[i], where));
      inputs[i] = &copies.back();
    }
  }
};

/// Every call that the quick path leaves.
void apply_general(const OpDef& op, std::span<const Var* const> inputs, const void* attributes,
                   std::source_location where, int wanted, Results& results) {
  if (attributes == nullptr) attributes = op.default_attributes;
  Operands operands(inputs.size());
  const std::uint8_t flags = gather(operands, op, inputs, attributes, where);
  if (op.infer == nullptr) return results.take(expand(op, inputs, operands, attributes, where));
  Tape* tape = recording_tape();
  if ((flags & Value::kWeak) != 0) {
    bool only_numbers = op.elementwise != nullptr && !op.elementwise->predicate;
    for (const Value* value : operands.values) only_numbers &= value->has(Value::kWeak);
    if (only_numbers) {
      if (op.check != nullptr) op.check(OpCall(op, operands.values, attributes, resolve(where)));
      Var number = detail::compute_numbers(op, operands.values, attributes, resolve(where));
      if (number.has_value()) return results.take(std::move(number));
    }
    settle_numbers(operands, op, tape, where);
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
        if (tape != nullptr) record(*tape, op, operands, attributes, results.raw(), where);
        return;
      }
    } catch (...) {
      rethrow_located(op, operands.values, where);
    }
    if (copied == 0) {
      return results.take(expand(op, inputs, operands, attributes, where));
    }
  }
  const Relaid relaid(inputs, copied, where);
  apply_general(op, relaid.inputs, attributes, where, wanted, results);
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
    settle_numbers(operands, op, nullptr, where);
  }
  if (op.infer == nullptr) {
    fail_call(op, ErrorKind::kInternal, "is made of other ops, which infer each for itself", "",
              where);
  }
  InferContext inferred(op, operands.values, attributes, resolve(where));
  op.infer(inferred);
  return {inferred.outputs().begin(), inferred.outputs().end()};
}

}  // namespace wengert
