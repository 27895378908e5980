#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <source_location>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/attributes.h"
#include "wengert/graph/elementwise_kernels.h"
#include "wengert/graph/error.h"
#include "wengert/graph/op_call.h"
#include "wengert/graph/shape.h"
#include "wengert/graph/var.h"

namespace wengert {

// ---------------------------------------------------------------------------- the record

/// Which values a derivative reads, so that exactly these are kept: bits 0…22 inputs, 24…29 single
/// outputs, and
inline constexpr std::uint32_t kReadsNothing = 0;
inline constexpr std::uint32_t kReadsOutputs = 1u << 30;    ///< all outputs
inline constexpr std::uint32_t kReadsAllInputs = 1u << 31;  ///< however many
constexpr std::uint32_t reads_input(int i) { return 1u << i; }
constexpr std::uint32_t reads_output(int k) { return 1u << (24 + k); }

/// Where an operand of a kernel may lie in memory.
enum class Layout : std::uint8_t {
  kAny,     ///< any strides
  kPacked,  ///< without gaps, its axes in any order
  kDense,   ///< row-major without gaps
  kMatrix,  ///< rows or columns of the last two axes without gaps, as GEMM reads them
};

/// What people read about an op; a test holds that none is empty.
struct Documentation {
  std::string_view summary = {};    ///< one sentence
  std::string_view formula = {};    ///< y = …
  std::string_view arguments = {};  ///< "x: any floating tensor; axes: …"
  std::string_view gradient = {};   ///< formula and the convention at special points, or why none
  std::string_view source = {};     ///< paper, section, standard
};

/// Fan-in and fan-out that an op gives a weight argument, for initializers.
struct Fans {
  std::int64_t fan_in = 0;
  std::int64_t fan_out = 0;
};

/// An op: everything the engine, the tests, the drawings and the reference page know about it.
struct OpDef {
  std::string_view name;
  Documentation doc;
  int min_inputs = 1;
  int max_inputs = 1;  ///< −1: any number
  /// Bit i: input i may be left out, by an empty Var or, at the end, by giving fewer. The record's
  /// functions ask has(i) before anything else of it.
  std::uint32_t optional = 0;
  std::uint32_t differentiable = 0;  ///< bit i: input i may need a gradient; all ones: every input
  /// reads[i]: what the derivative for input i reads; inputs beyond the array use its last entry.
  std::array<std::uint32_t, 4> reads{};
  /// Sets of inputs (all ones: every input) in which the outputs are linear together, the others
  /// held: along them the tangent is the op of the tangents. Sets may overlap: x·W + b is linear in
  /// {x, b} and in {W, b}. Of other inputs the tangent comes from the vjp applied twice, of
  /// elementwise ops from their formula.
  std::array<std::uint32_t, 2> linear{};
  /// layouts[i]: where input i may lie; inputs beyond the array use its last entry. What lies
  /// otherwise becomes a visible `contiguous` node before infer sees it.
  std::array<Layout, 4> layouts{};
  /// Bit k: output k lies in the order of the first operand of its shape that has no gaps, and
  /// evaluate writes it so; others are row-major.
  std::uint32_t keeps_order = 0;
  /// `backward` writes the gradient of an input that has no gaps in that input's order; others are
  /// row-major.
  bool gradients_keep_order = false;
  /// How many of the last outputs only the derivative sees (statistics, masks, workspaces): they
  /// are recorded after the others and not handed to the caller.
  std::uint8_t hidden_outputs = 0;
  /// Bit k: no gradient flows through output k although it is floating (a mask, a draw).
  std::uint32_t discrete_outputs = 0;
  void (*infer)(InferContext&) = nullptr;
  void (*evaluate)(EvalContext&) = nullptr;      ///< null for ops that only make views
  void (*vjp)(VjpContext&) = nullptr;            ///< null: not differentiable
  void (*backward)(BackwardContext&) = nullptr;  ///< optional fused form of vjp
  const AttributeType* attributes = nullptr;
  const void* default_attributes = nullptr;  ///< what a call without attributes means; null: none
  /// Fails on attributes outside their domain; for elementwise ops, whose quick way has no infer.
  void (*check)(const OpCall&) = nullptr;
  const ElementwiseOp* elementwise = nullptr;
  /// The elementwise op that this one is on operands of one element and one rank, of two at least:
  /// they then take its quick ways (an elementwise op names itself, for any rank). `reads`,
  /// `differentiable` and attributes are this record's; it has kernels for the dtypes that `infer`
  /// accepts and no others, `backward_one` among them.
  const ElementwiseOp* single_element = nullptr;
  /// Floating-point operations for each element of output 0: 2·k of a product over k. Null: one for
  /// each element of the largest operand or output. See cost_of.
  double (*flops)(const OpCall&) = nullptr;
  Fans (*fans)(const OpCall&, int input) = nullptr;
  bool structural = false;  ///< leaves of a graph: constant, variable, …
  /// For inference it gives its input 0 as it is (dropout and its kin): a copy for inference does
  /// without it.
  bool identity_for_inference = false;
  /// Its attributes point to what the tape owns (Tape::own): a call cannot leave the tape.
  bool bound_to_tape = false;
  /// What the call is made of, where it is made of other ops: these are what is recorded, in a
  /// scope of this op's name, and there is no evaluate or vjp here. An op that is so for some
  /// operands only says which in `infer` (want_expansion); others have none.
  Var (*expand)(const ExpandContext&) = nullptr;

  bool is_optional(int i) const { return (optional >> (i < 31 ? i : 31) & 1u) != 0; }
  bool is_differentiable(int i) const { return (differentiable >> (i < 31 ? i : 31) & 1u) != 0; }
  std::uint32_t reads_for(int i) const { return reads[i < 3 ? i : 3]; }
  Layout layout_for(int i) const { return layouts[static_cast<std::size_t>(i < 3 ? i : 3)]; }
  bool is_composite() const { return expand != nullptr && infer == nullptr; }
};

inline constexpr std::uint32_t kAllInputs = 0xffffffffu;

// ---------------------------------------------------------------------------- calling

/// Computes an op and, where a tape is live, records it. Checks arity, tapes and dtypes of numbers,
/// copies operands that lie otherwise than the record takes them; shapes and dtypes are the op's
/// own business. `attributes` is the op's struct, or null for its defaults. The op has one output
/// beside hidden ones.
WENGERT_API Var apply(const OpDef& op, std::span<const Var* const> inputs,
                      const void* attributes = nullptr,
                      std::source_location where = std::source_location::current());
/// The same for an op with several outputs.
WENGERT_API std::vector<Var> apply_multiple(
    const OpDef& op, std::span<const Var* const> inputs, const void* attributes = nullptr,
    std::source_location where = std::source_location::current());
/// The same for an op with as many outputs as there is room for in `outputs`, without a list.
WENGERT_API void apply_into(std::span<Var> outputs, const OpDef& op,
                            std::span<const Var* const> inputs, const void* attributes = nullptr,
                            std::source_location where = std::source_location::current());
/// The same with hidden outputs too: for what runs recorded calls again.
WENGERT_API std::vector<Var> apply_all(const OpDef& op, std::span<const Var* const> inputs,
                                       const void* attributes, std::source_location where);

/// The same for one and two inputs without attributes; the quickest way in.
WENGERT_API Var apply(const OpDef& op, const Var& x, std::source_location where);
WENGERT_API Var apply(const OpDef& op, const Var& a, const Var& b, std::source_location where);
template <class A>
requires(std::is_trivially_copyable_v<A> && !std::is_pointer_v<A>) Var
    apply(const OpDef& op, std::initializer_list<const Var*> inputs, const A& attributes,
          std::source_location where) {
  return apply(op, std::span(inputs.begin(), inputs.size()), &attributes, where);
}

/// What a call would produce, without computing it. Throws what the op's infer throws.
WENGERT_API std::vector<InferContext::Output> infer(const OpDef& op,
                                                    std::span<const Var* const> inputs,
                                                    const void* attributes,
                                                    std::source_location where);

/// The fans that `op` gives its input `input` on operands of these shapes, without evaluating
/// anything: how initializers know them before the first call. Throws Error(kValue) when the op
/// states none.
WENGERT_API Fans fans_of(const OpDef& op, DType dtype, std::span<const Shape> shapes, int input,
                         const void* attributes = nullptr,
                         std::source_location where = std::source_location::current());

// ---------------------------------------------------------------------------- registry

/// Adds an op of a program's own to the table, for the rest of the process: it is then listed,
/// tested, gradchecked and drawn like every other. Throws Error(kValue) on a taken name or an
/// incomplete record. `op` must outlive all use.
WENGERT_API void register_op(const OpDef& op,
                             std::source_location where = std::source_location::current());
/// The op of that name, or null.
WENGERT_API const OpDef* find_op(std::string_view name);
/// All ops in the order of the table, user ops last.
WENGERT_API std::vector<const OpDef*> registered_ops();

}  // namespace wengert
