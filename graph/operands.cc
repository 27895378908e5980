#include "wengert/graph/operands.h"

#include <cstring>
#include <limits>
#include <new>
#include <stdexcept>

#include "wengert/graph/numbers.h"
#include "wengert/graph/storage.h"
#include "wengert/graph/value_pool.h"

namespace wengert::detail {

void fail_call(const OpDef& op, ErrorKind kind, std::string message, std::string fix,
               std::source_location where) {
  where = resolve(where);
  throw Error({.kind = kind,
               .op = std::string(op.name),
               .message = std::move(message),
               .scope = Scope::path(),
               .file = where.file_name(),
               .line = where.line(),
               .fix = std::move(fix),
               .users_line = true});
}

std::string advice_on_memory() {
  constexpr std::uint32_t kMany = 100000, kRounds = 1000;
  const Tape* tape = Tape::current();
  std::string usual = "use smaller batches, or free values that are held";
  if (tape == nullptr || tape->size() < kMany) return usual;
  const std::source_location last = tape->node(tape->size() - 1).where;
  std::uint32_t rounds = 0;
  for (std::uint32_t id = 0; id < tape->size(); ++id) {
    const std::source_location where = tape->node(id).where;
    rounds +=
        where.line() == last.line() && std::string_view(where.file_name()) == last.file_name();
  }
  if (rounds < kRounds) return usual;
  return "the tape holds " + std::to_string(tape->size()) + " nodes, " + std::to_string(rounds) +
         " of them of " + std::string(base_name(last.file_name())) + ":" +
         std::to_string(last.line()) +
         ": does it stand outside the loop? A Tape inside ends with "
         "each round";
}

void rethrow_located(const OpDef& op, std::span<Value* const> values, std::source_location where) {
  try {
    throw;
  } catch (const Error& error) {
    if (error.is_located()) throw;
    fail_call(op, error.kind(), error.message(), error.fix(), where);
  } catch (const std::exception& error) {
    const auto* out = dynamic_cast<const OutOfMemory*>(&error);
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
    const std::string what = out == nullptr ? std::string("the result")
                                            : std::to_string(out->bytes) + " bytes of the result";
    fail_call(op, ErrorKind::kMemory, "the system has no memory left for " + what + inputs,
              advice_on_memory(), where);
  }
}

Var absent_operand() {
  Value* value = take_header(DType::kFloat32, 0, false);
  value->counts = Value::kHandle;
  value->flags |= Value::kInline | Value::kLeaf;
  value->data = value->scalar;
  value->version = Value::kAbsent;
  std::memset(value->scalar, 0, sizeof value->scalar);
  return Var::take(value);
}

void settle_numbers(Operands& operands, const OpDef& op, std::source_location where) {
  const DType dtype = dtype_of_numbers(operands.values, op);
  for (std::size_t i = 0; i < operands.values.size(); ++i) {
    Value* value = operands.values[i];
    if (!value->has(Value::kWeak)) continue;
    operands.own(i, number_as(*value, dtype, op, resolve(where)));
    operands.extra->numbers.emplace_back(i, value);
  }
}

std::uint8_t gather(Operands& operands, const OpDef& op, std::span<const Var* const> inputs,
                    const void* attributes, std::source_location where) {
  if (op.infer == nullptr && op.expand == nullptr) [[unlikely]] {
    fail_call(op, ErrorKind::kInternal, "its record has no infer", "", where);
  }
  if ((op.attributes == nullptr) != (attributes == nullptr)) [[unlikely]] {
    fail_call(op, op.attributes == nullptr ? ErrorKind::kInternal : ErrorKind::kValue,
              op.attributes == nullptr ? "attributes given to an op that has none"
                                       : "applied without its attributes",
              op.attributes == nullptr ? "" : "set them by name: Attributes a(op); a.set(…)",
              where);
  }
  if (inputs.size() > std::numeric_limits<std::uint16_t>::max()) [[unlikely]] {
    fail_call(op, ErrorKind::kValue, std::to_string(inputs.size()) + " inputs",
              "at most 65535; combine them in groups", where);
  }
  inputs = inputs.first(count_given(op, inputs));
  operands.values = operands.values.first(inputs.size());
  const int count = static_cast<int>(inputs.size());
  if (count < op.min_inputs || (op.max_inputs >= 0 && count > op.max_inputs)) [[unlikely]] {
    fail_call(op, ErrorKind::kValue, std::to_string(count) + " inputs",
              count == 0 ? "give at least " + std::to_string(op.min_inputs) : std::string(), where);
  }
  std::uint8_t flags = 0;
  for (int i = 0; i < count; ++i) {
    Value* value = inputs[i]->get();
    if (value != nullptr && value->is_absent() && !op.is_optional(i)) value = nullptr;
    if (value == nullptr && op.is_optional(i)) {
      operands.own(static_cast<std::size_t>(i), absent_operand());
      continue;
    }
    if (value == nullptr) [[unlikely]] {
      throw Error({.kind = ErrorKind::kGraph,
                   .op = std::string(op.name),
                   .message = "input " + std::to_string(i) + " is an empty Var",
                   .scope = Scope::path(),
                   .file = resolve(where).file_name(),
                   .line = resolve(where).line(),
                   .fix = "assign the result of an op to it first",
                   .cause = Error::Cause::kEmptyVar,
                   .users_line = true});
    }
    if (!value->has(Value::kWeak) && is_of_another_thread(value)) [[unlikely]] {
      fail_call(op, ErrorKind::kGraph,
                "input " + std::to_string(i) + ", " +
                    to_string(value->dtype, {value->sizes(), value->rank}) +
                    ", was made by another thread",
                "hand Tensors from thread to thread: x.value() there, variable(tensor) or the "
                "tensor itself here",
                where);
    }
    operands.values[i] = value;
    flags |= value->flags;
  }
  return flags;
}

void meet_tape(Operands& operands, const OpDef& op, const Tape& tape, std::source_location where) {
  for (std::size_t i = 0; i < operands.values.size(); ++i) {
    const Value* value = operands.values[i];
    // A number is of no thread: the tape will make a constant of it.
    if (value->serial != tape.serial() && !value->has(Value::kWeak)) [[unlikely]] {
      tape.check_adoptable(value, op, resolve(where), static_cast<int>(i));
    }
    operands.requires_grad |=
        value->has(Value::kRequiresGrad) && op.is_differentiable(static_cast<int>(i));
  }
}

std::uint32_t reads_of(const OpDef& op, std::span<Value* const> inputs) {
  std::uint32_t reads = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i]->has(Value::kRequiresGrad) && op.is_differentiable(static_cast<int>(i))) {
      reads |= op.reads_for(static_cast<int>(i));
    }
  }
  return reads;
}

namespace {

/// Whether the value lies as a kernel takes it.
bool fits(Layout layout, const Value* value) {
  if (layout == Layout::kAny || !value->has(Value::kStrided)) return true;
  if (layout == Layout::kPacked) return value->has(Value::kPermuted);
  if (layout == Layout::kDense || value->rank < 2) return false;
  const std::int64_t *sizes = value->sizes(), *strides = value->strides();
  const int row = value->rank - 2, column = value->rank - 1;
  const std::int64_t rows = sizes[row], columns = sizes[column];
  return rows == 0 || columns == 0 ||
         (strides[column] == 1 && (strides[row] >= columns || rows == 1)) ||
         (strides[row] == 1 && (strides[column] >= rows || columns == 1));
}

}  // namespace

std::uint32_t misplaced(const OpDef& op, std::span<Value* const> inputs) {
  std::uint32_t set = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const int k = static_cast<int>(i);
    if (!fits(op.layout_for(k), inputs[i])) set |= 1u << (k < 31 ? k : 31);
  }
  return set;
}

}  // namespace wengert::detail
