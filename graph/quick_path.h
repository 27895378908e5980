#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <span>

#include "wengert/graph/op.h"
#include "wengert/graph/operands.h"
#include "wengert/graph/outputs.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/tape_memory.h"
#include "wengert/graph/thread_state.h"
#include "wengert/graph/value_pool.h"

// The quick way of a call, for apply.cc alone, into which it is inlined. Private to the library.
namespace wengert::detail {

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
    if (size > kFewElements) return nullptr;
    count *= size;
    if (count > kFewElements) return nullptr;
  }
  const auto kernel = op.kernels->forward[static_cast<int>(first->dtype)];
  if (kernel == nullptr) return nullptr;
  Value* value = take_header(op.predicate ? DType::kBool : first->dtype, rank, false);
  for (int d = 0; d < rank; ++d) value->sizes()[d] = first->sizes()[d];
  attach_data(value, count);
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
    if (value == nullptr) return run_inferred(*tape, op, in, attributes, flags, where);
    commit(*tape, op, in, attributes, nullptr, flags, value, where);
    return value;
  }

  /// The constant that a number is on the tape already, or null.
  static Value* known_number(Tape& tape, const Value* number, DType dtype) {
    std::uint64_t bits;
    std::memcpy(&bits, number->scalar, sizeof bits);
    const TapeMemory::Number& known = tape.memory_->place_of(bits, dtype);
    const TapeMemory::Number wanted = {bits, tape.serial_, 0, number->dtype, dtype};
    return known == wanted ? tape.node(known.id).value : nullptr;
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
    // What may fail comes before the constant is on the tape.
    if (partner == nullptr || op.elementwise == nullptr || kInputs > 2 ||
        op.elementwise->kernels->forward[static_cast<int>(partner->dtype)] == nullptr) {
      return false;
    }
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

  /// Ops with an infer. Out of line: elementwise ones keep a small frame.
  template <int kInputs>
  [[gnu::noinline]] static Value* run_inferred(Tape& tape, const OpDef& op,
                                               Value* const (&in)[kInputs], const void* attributes,
                                               std::uint8_t flags, std::source_location where) {
    if ((flags & Value::kStrided) != 0 && !takes_any_layout(op) && misplaced(op, in) != 0) {
      return nullptr;
    }
    const Computed made = compute_one(op, in, attributes, resolve(where), tape);
    if (made.value == nullptr) return nullptr;
    commit(tape, op, in, attributes, made.attributes, flags, made.value, where);
    return made.value;
  }

  /// Puts the call on the tape; `value` has one handle, the caller's.
  template <int kInputs>
  [[gnu::always_inline]] static void commit(Tape& tape, const OpDef& op,
                                            Value* const (&in)[kInputs], const void* attributes,
                                            void* kept, std::uint8_t flags, Value* value,
                                            std::source_location where) {
    Node* node;
    try {
      if (attributes != nullptr && kept == nullptr) kept = tape.keep(op, attributes);
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

}  // namespace wengert::detail
