#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <new>

#include "wengert/graph/call_site.h"
#include "wengert/graph/op.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/graph/thread_state.h"
#include "wengert/graph/value_pool.h"

namespace wengert {
namespace {

using detail::Node;
using detail::t_state;
using detail::Value;

constexpr std::int64_t kSmall = 4096;  // elements up to which an elementwise call skips the driver

/// The values that one call works on; usual calls stay off the heap.
struct Operands {
  static constexpr int kFew = 8;
  /// What only unusual calls need.
  struct Extra {
    std::vector<Value*> many;
    std::vector<Var> owned;  ///< numbers in the dtype of their partners
  };
  Value* few[kFew];
  std::span<Value*> values;
  bool requires_grad = false;
  std::unique_ptr<Extra> extra;

  explicit Operands(std::size_t count) : values(few, count) {
    if (count <= kFew) return;
    extra = std::make_unique<Extra>();
    extra->many.resize(count);
    values = extra->many;
  }
  void own(std::size_t i, Var var) {
    if (extra == nullptr) extra = std::make_unique<Extra>();
    values[i] = var.get();
    extra->owned.push_back(std::move(var));
  }
};

std::source_location resolve(std::source_location where) {
  return t_state.overrides_location ? t_state.location : where;
}

[[noreturn]] void fail_call(const OpDef& op, ErrorKind kind, std::string message, std::string fix,
                            std::source_location where) {
  where = resolve(where);
  throw Error({.kind = kind,
               .op = std::string(op.name),
               .message = std::move(message),
               .scope = Scope::path(),
               .file = where.file_name(),
               .line = where.line(),
               .fix = std::move(fix)});
}

/// A number as a scalar of `dtype`; fails where the dtype cannot hold it.
Var number_as(const Value& number, DType dtype, const OpDef& op, std::source_location where) {
  double real;
  std::int64_t integer = 0;
  if (number.dtype == DType::kInt64) {
    std::memcpy(&integer, number.scalar, sizeof integer);
    real = static_cast<double>(integer);
  } else {
    std::memcpy(&real, number.scalar, sizeof real);
  }
  Value* value = detail::take_header(dtype, 0, false);
  Var result = Var::take(value);
  value->counts = Value::kHandle;
  value->flags |= Value::kInline | Value::kLeaf;
  value->data = value->scalar;
  const auto fail = [&](const char* why) {
    fail_call(op, ErrorKind::kDType,
              "the number " + format_number(real, 15) + " " + why + " " +
                  std::string(name_of(dtype)) + " tensor",
              "cast the tensor first: cast(x, DType::kFloat32)", where);
  };
  dispatch(dtype, [&]<class T>(T) {
    T stored;
    if constexpr (std::is_floating_point_v<T>) {
      stored = number.dtype == DType::kInt64 ? static_cast<T>(integer) : static_cast<T>(real);
    } else {
      if (number.dtype != DType::kInt64) {
        if (std::trunc(real) != real || std::fabs(real) > 9e15) fail("does not fit into an");
        integer = static_cast<std::int64_t>(real);
      }
      if constexpr (std::is_same_v<T, bool>) {
        if (integer != 0 && integer != 1) fail("does not fit into a");
      } else if (integer < static_cast<std::int64_t>(std::numeric_limits<T>::min()) ||
                 integer > static_cast<std::int64_t>(std::numeric_limits<T>::max())) {
        fail("does not fit into an");
      }
      stored = static_cast<T>(integer);
    }
    std::memcpy(value->scalar, &stored, sizeof stored);
  });
  return result;
}

/// Gives numbers the dtype of the first tensor beside them (a bool one only if there is no other).
void settle_numbers(Operands& operands, const OpDef& op, std::source_location where) {
  const Value* partner = nullptr;
  bool fractional = false;
  for (const Value* value : operands.values) {
    if (value->has(Value::kWeak)) {
      fractional |= value->dtype != DType::kInt64;
    } else if (partner == nullptr || partner->dtype == DType::kBool) {
      partner = value;
    }
  }
  DType dtype = fractional ? DType::kFloat32 : DType::kInt64;
  if (partner != nullptr && (partner->dtype != DType::kBool || op.max_inputs <= 2)) {
    dtype = partner->dtype;
  }
  for (std::size_t i = 0; i < operands.values.size(); ++i) {
    if (operands.values[i]->has(Value::kWeak)) {
      operands.own(i, number_as(*operands.values[i], dtype, op, where));
    }
  }
}

void gather(Operands& operands, const OpDef& op, std::span<const Var* const> inputs,
            const void* attributes, Tape* tape, std::source_location where) {
  // A composite's calls are those of the ops that it is made of; an op with attributes is called
  // through its function, which makes them.
  if (op.infer == nullptr || (op.attributes == nullptr) != (attributes == nullptr)) [[unlikely]] {
    fail_call(op, ErrorKind::kInternal,
              op.infer == nullptr        ? "a composite is not applied itself"
              : op.attributes == nullptr ? "attributes given to an op that has none"
                                         : "applied without its attributes",
              "call the op's function", where);
  }
  if (inputs.size() > std::numeric_limits<std::uint16_t>::max()) [[unlikely]] {
    fail_call(op, ErrorKind::kValue, std::to_string(inputs.size()) + " inputs",
              "at most 65535; combine them in groups", where);
  }
  const int count = static_cast<int>(inputs.size());
  if (count < op.min_inputs || (op.max_inputs >= 0 && count > op.max_inputs)) [[unlikely]] {
    fail_call(op, ErrorKind::kValue, std::to_string(count) + " inputs", "", where);
  }
  std::uint8_t flags = 0;
  for (int i = 0; i < count; ++i) {
    Value* value = inputs[i]->get();
    if (value == nullptr) [[unlikely]] {
      fail_call(op, ErrorKind::kGraph, "input " + std::to_string(i) + " is an empty Var",
                "assign the result of an op to it first", where);
    }
    operands.values[i] = value;
    flags |= value->flags;
  }
  if (flags & Value::kWeak) [[unlikely]]
    settle_numbers(operands, op, where);
  if (tape == nullptr) return;
  for (int i = 0; i < count; ++i) {
    const Value* value = operands.values[i];
    if (value->serial != tape->serial()) [[unlikely]] {
      tape->check_adoptable(value, op, resolve(where));
    }
    operands.requires_grad |= (value->flags & Value::kRequiresGrad) != 0 && op.is_differentiable(i);
  }
}

/// Which values the derivative will want, as bits of Node::saved.
std::uint8_t saved_mask(const OpDef& op, const Operands& operands) {
  std::uint16_t reads = 0;
  for (std::size_t i = 0; i < operands.values.size(); ++i) {
    if (operands.values[i]->has(Value::kRequiresGrad) &&
        op.is_differentiable(static_cast<int>(i))) {
      reads |= op.reads_for(static_cast<int>(i));
    }
  }
  std::uint8_t mask = reads & 0x3f;
  if (reads & kReadsAllInputs) mask = detail::kSavedAllInputs;
  if (reads & kReadsOutputs) mask |= detail::kSavedOutputs;
  return mask;
}

/// Elementwise on few elements of dense operands of one dtype and shape: straight to the kernel.
/// Null for others. Inputs is an array or a span.
template <class Inputs>
[[gnu::always_inline]] inline Value* compute_elementwise(const ElementwiseOp& op,
                                                         const Inputs& in) {
  const std::size_t inputs = std::size(in);
  const Value* first = in[0];
  if (first->has(Value::kStrided)) return nullptr;
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
  kernel(data, value->data, count, nullptr);
  return value;
}

/// The same for an op that is an elementwise one on [1,1] operands.
template <std::size_t kInputs>
[[gnu::always_inline]] inline Value* compute_single(const ElementwiseOp& op,
                                                    Value* const (&in)[kInputs]) {
  for (const Value* value : in) {
    if (value->rank != 2 || value->sizes()[0] != 1 || value->sizes()[1] != 1) return nullptr;
  }
  return compute_elementwise(op, in);
}

/// A header that shares `viewed`'s memory (a copy of it, when that lies inside the header).
Value* make_view(Value* viewed, const InferContext::Output& spec) {
  const int rank = spec.shape.size();
  const bool dense = element_count(spec.shape) <= 1 || spec.strides == dense_strides(spec.shape);
  Value* value = detail::take_header(spec.dtype, rank, !dense);
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

Value* make_output(std::span<Value* const> inputs, const InferContext::Output& spec) {
  if (spec.viewed_input >= 0) return make_view(inputs[spec.viewed_input], spec);
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
    // Of an op that this one calls, or of what a kernel asks the library for.
    if (!error.file().empty() && find_op(error.op()) != nullptr) throw;
    fail_call(op, error.kind(), error.message(), error.fix(), where);
  } catch (const std::bad_alloc&) {
    std::string inputs;
    for (const Value* value : values) {
      inputs += (inputs.empty() ? " for inputs " : ", ") +
                to_string(value->dtype, {value->sizes(), value->rank});
    }
    fail_call(op, ErrorKind::kMemory, "the system has no memory left for the result" + inputs,
              "use smaller batches, or free values that are held", where);
  }
}

/// Fails unless the record computes what it infers.
inline void check_outputs(const InferContext& call, bool computed) {
  if (call.outputs().empty()) call.fail(ErrorKind::kInternal, "its infer states no output");
  if (computed && call.op().evaluate == nullptr) {
    call.fail(ErrorKind::kInternal, "its record has no evaluate, but its output is no view");
  }
}

/// An op with one output. Kept out of the quick path, whose frame would grow by the contexts'.
[[gnu::noinline]] Value* compute_one(const OpDef& op, std::span<Value* const> inputs,
                                     const void* attributes, std::source_location where) {
  InferContext inferred(op, inputs, attributes, where);
  op.infer(inferred);
  check_outputs(inferred, inferred.outputs().size() == 1 && inferred.outputs()[0].viewed_input < 0);
  if (inferred.outputs().size() > 1) {
    inferred.fail(ErrorKind::kInternal, "has several outputs", "call it with apply_multiple");
  }
  const InferContext::Output& spec = inferred.outputs()[0];
  Var result = Var::take(make_output(inputs, spec));
  if (spec.viewed_input < 0) {
    Value* raw[] = {result.get()};
    EvalContext context(op, inputs, attributes, where, raw);
    op.evaluate(context);
  }
  return result.release();
}

void compute(const OpDef& op, const Operands& operands, const void* attributes,
             std::source_location where, std::vector<Var>& outputs) {
  InferContext inferred(op, operands.values, attributes, where);
  op.infer(inferred);
  bool computed = false;
  for (const InferContext::Output& spec : inferred.outputs()) computed |= spec.viewed_input < 0;
  check_outputs(inferred, computed);
  std::vector<Value*> raw;
  for (const InferContext::Output& spec : inferred.outputs()) {
    outputs.push_back(Var::take(make_output(operands.values, spec)));
    raw.push_back(outputs.back().get());
  }
  if (!computed) return;
  EvalContext context(op, operands.values, attributes, where, raw);
  op.evaluate(context);
}

/// Appends the call; leaves among its inputs become nodes only here, after it has succeeded.
void record(Tape& tape, const OpDef& op, Operands& operands, const void* attributes,
            std::span<Value* const> outputs, std::source_location where) {
  for (Value*& value : operands.values) {
    if (value->serial != tape.serial()) [[unlikely]] {
      value = tape.adopt(value, op, resolve(where));
    }
  }
  std::uint8_t saved = 0;
  for (const Value* value : operands.values) {
    for (Value* output : outputs) output->flags |= value->flags & Value::kDerivative;
  }
  if (operands.requires_grad) {
    saved = saved_mask(op, operands);
    for (Value* output : outputs) {
      if (is_floating(output->dtype)) output->flags |= Value::kRequiresGrad;
    }
  }
  const std::uint32_t id =
      tape.append(op, operands.values, attributes, outputs, saved, resolve(where));
  if (tape.detects_non_finite()) [[unlikely]] {
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      tape.inspect(id + static_cast<std::uint32_t>(k));
    }
  }
}

Tape* recording_tape() { return t_state.recording_off > 0 ? nullptr : t_state.tape; }

}  // namespace

namespace detail {

/// Ops with up to three inputs that are all on the live tape and one output: nearly every call.
/// One pass without lists or function calls but the op's own; gives null where anything is out of
/// the ordinary, and the general path takes over.
struct QuickPath {
  template <int kInputs>
  static Value* run(const OpDef& op, Value* const (&in)[kInputs], const void* attributes,
                    std::source_location where) {
    ThreadState& state = t_state;
    Tape* tape = state.tape;
    if (tape == nullptr || state.recording_off != 0 || tape->detect_non_finite_ ||
        op.max_inputs != kInputs || (op.attributes != nullptr) != (attributes != nullptr)) {
      return nullptr;
    }
    std::uint8_t flags = 0;
#pragma GCC unroll 3
    for (int i = 0; i < kInputs; ++i) {
      if (in[i] == nullptr || in[i]->serial != tape->serial_) return nullptr;
      flags |= in[i]->flags;
    }
    if ((flags & Value::kWeak) != 0 || op.infer == nullptr) return nullptr;
    Value* value = nullptr;
    // Attributes are checked by infer, which this leaves out.
    if (attributes == nullptr) {
      if (op.elementwise != nullptr) {
        value = compute_elementwise(*op.elementwise, in);
      } else if (op.single_element != nullptr) {
        value = compute_single(*op.single_element, in);
      }
    }
    if (value == nullptr) value = compute_one(op, in, attributes, resolve(where));
    commit(*tape, op, in, attributes, flags, value, where);
    return value;
  }

 private:
  /// Writes the node; `value` has one handle, the caller's.
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
      std::uint16_t reads = 0;
      bool requires_grad = false;
#pragma GCC unroll 3
      for (int i = 0; i < kInputs; ++i) {
        if (!in[i]->has(Value::kRequiresGrad) || !op.is_differentiable(i)) continue;
        reads |= op.reads[i];
        requires_grad = true;
      }
      if (requires_grad && is_floating(value->dtype)) value->flags |= Value::kRequiresGrad;
      if ((reads & kReadsAllInputs) != 0) {
        for (int i = 0; i < kInputs; ++i) hold(in[i], Value::kData);
        saved = kSavedAllInputs;
      } else {
#pragma GCC unroll 3
        for (int i = 0; i < kInputs; ++i) {
          if ((reads & reads_input(i)) == 0) continue;
          hold(in[i], Value::kData);
          saved |= static_cast<std::uint8_t>(1u << i);
        }
      }
      if ((reads & kReadsOutputs) != 0) {
        hold(value, Value::kData);
        saved |= kSavedOutputs;
      }
    }
    // As a whole, so that what lay there before need not come in.
    *node = {.op = &op,
             .where = resolve(where),
             .attributes = kept,
             .value = value,
             .scope = t_state.scope,
             .saved = saved,
             .input_count = kInputs,
             .output = 0,
             .few_inputs = {}};
    for (int i = 0; i < kInputs; ++i) node->few_inputs[i] = in[i]->id;
    value->serial = tape.serial_;
    value->id = tape.commit();
  }
};

Var apply_general(const OpDef& op, std::span<const Var* const> inputs, const void* attributes,
                  std::source_location where);

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

Var apply(const OpDef& op, const Var& x, std::source_location where) {
  Value* const in[] = {x.get()};
  if (Value* value = detail::run_quick(op, in, nullptr, where)) return Var::take(value);
  const Var* inputs[] = {&x};
  return detail::apply_general(op, inputs, nullptr, where);
}

Var apply(const OpDef& op, const Var& a, const Var& b, std::source_location where) {
  Value* const in[] = {a.get(), b.get()};
  if (Value* value = detail::run_quick(op, in, nullptr, where)) return Var::take(value);
  const Var* inputs[] = {&a, &b};
  return detail::apply_general(op, inputs, nullptr, where);
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
  return detail::apply_general(op, inputs, attributes, where);
}

Var detail::apply_general(const OpDef& op, std::span<const Var* const> inputs,
                          const void* attributes, std::source_location where) {
  Tape* tape = recording_tape();
  Operands operands(inputs.size());
  gather(operands, op, inputs, attributes, tape, where);
  try {
    Value* value = nullptr;
    // Attributes are checked by infer, which the short way leaves out.
    if (op.elementwise != nullptr && attributes == nullptr) {
      value = compute_elementwise(*op.elementwise, operands.values);
    }
    if (value == nullptr) value = compute_one(op, operands.values, attributes, resolve(where));
    Var result = Var::take(value);
    if (tape != nullptr) record(*tape, op, operands, attributes, {&value, 1}, where);
    return result;
  } catch (...) {
    rethrow_located(op, operands.values, where);
  }
}

std::vector<Var> apply_multiple(const OpDef& op, std::span<const Var* const> inputs,
                                const void* attributes, std::source_location where) {
  Tape* tape = recording_tape();
  Operands operands(inputs.size());
  gather(operands, op, inputs, attributes, tape, where);
  try {
    std::vector<Var> results;
    compute(op, operands, attributes, resolve(where), results);
    if (tape != nullptr) {
      std::vector<Value*> outputs;
      for (const Var& result : results) outputs.push_back(result.get());
      record(*tape, op, operands, attributes, outputs, where);
    }
    return results;
  } catch (...) {
    rethrow_located(op, operands.values, where);
  }
}

std::vector<InferContext::Output> infer(const OpDef& op, std::span<const Var* const> inputs,
                                        const void* attributes, std::source_location where) {
  Operands operands(inputs.size());
  gather(operands, op, inputs, attributes, nullptr, where);
  InferContext inferred(op, operands.values, attributes, resolve(where));
  op.infer(inferred);
  return {inferred.outputs().begin(), inferred.outputs().end()};
}

}  // namespace wengert
