#pragma once

#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "wengert/graph/error.h"
#include "wengert/graph/op.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/thread_state.h"

// What one call of an op works on: its operands, checked and laid out. Private to the library.
namespace wengert::detail {

/// The values that one call works on; usual calls stay off the heap.
struct Operands {
  static constexpr int kFew = 8;
  /// What only unusual calls need.
  struct Extra {
    std::vector<Value*> many;
    std::vector<Var> owned;  ///< numbers in the dtype of their partners
    /// Which operands are numbers: what they were, for the tape's constants.
    std::vector<std::pair<std::size_t, Value*>> numbers;
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

/// The user's line: of a derivative that is computed in ops, that of the op it belongs to.
inline std::source_location resolve(std::source_location where) {
  return t_state.overrides_location ? t_state.location : where;
}

/// Throws an Error of the call with scope and line.
[[noreturn]] void fail_call(const OpDef& op, ErrorKind kind, std::string message, std::string fix,
                            std::source_location where);

/// What to do where memory is out: whether the live tape has grown over many rounds of one line.
std::string advice_on_memory();

/// From inside a handler: what went wrong below the op's own checks gets the op, the scope and the
/// line. Out of line, so that quick calls keep a small frame.
[[noreturn, gnu::cold]] void rethrow_located(const OpDef& op, std::span<Value* const> values,
                                             std::source_location where);

/// How many operands there are without those left out at the end.
inline std::size_t count_given(const OpDef& op, std::span<const Var* const> inputs) {
  std::size_t count = inputs.size();
  const auto left_out = [&](std::size_t i) {
    const Value* value = inputs[i]->get();
    return (value == nullptr || value->is_absent()) && op.is_optional(static_cast<int>(i));
  };
  while (count > static_cast<std::size_t>(op.min_inputs) && left_out(count - 1)) --count;
  return count;
}

/// What stands among the operands for one that is left out.
Var absent_operand();

/// Gives numbers the dtype of the first tensor beside them.
void settle_numbers(Operands& operands, const OpDef& op, std::source_location where);

/// Checks what every call must have and lists its operands; gives their flags together.
std::uint8_t gather(Operands& operands, const OpDef& op, std::span<const Var* const> inputs,
                    const void* attributes, std::source_location where);

/// Checks that a tape may take the operands, and whether gradients will flow through the call.
void meet_tape(Operands& operands, const OpDef& op, const Tape& tape, std::source_location where);

/// What the derivatives of the inputs that want one read.
std::uint32_t reads_of(const OpDef& op, std::span<Value* const> inputs);

/// The inputs that must be copied before the op can take them.
std::uint32_t misplaced(const OpDef& op, std::span<Value* const> inputs);

constexpr bool takes_any_layout(const OpDef& op) { return op.layouts == std::array<Layout, 4>{}; }

}  // namespace wengert::detail
