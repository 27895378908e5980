#pragma once

#include <type_traits>

#include "wengert/graph/op.h"
#include "wengert/ops/elementwise/driver.h"
#include "wengert/ops/elementwise/reads.h"
#include "wengert/ops/ops.h"
#include "wengert/ops/records.h"

// Makes op records from elementwise formulas: the recorded derivative is the formula over Var.

#define WENGERT_FORMULAS namespace wengert::ops::formulas

namespace wengert::ops {
namespace formulas {
/// A constant of x's dtype.
inline Var like(const Var& x, double value) { return Tensor::full(x.dtype(), {}, value); }
}  // namespace formulas

/// Puts the kernels of the CPU's level into force when the library is loaded.
struct ChooseLevel {
  ChooseLevel(ElementwiseOp& op, const ElementwiseKernels* baseline,
              const ElementwiseKernels* avx2, const ElementwiseKernels* avx512);
};

template <class F>
void unary_vjp(VjpContext& c) {
  const Var x = (F::reads & kX) ? c.input(0) : Var();
  const Var y = (F::reads & kY) ? c.output() : Var();
  if constexpr (requires { typename F::Attributes; }) {
    using A = typename F::Attributes;
    c.set(0, cotangent_product(c.cotangent(), F::partial(x, y, c.attributes<A>())));
  } else {
    c.set(0, cotangent_product(c.cotangent(), F::partial(x, y)));
  }
}

template <class F>
void binary_vjp(VjpContext& c) {
  const auto operand = [&](int reads, int bit, int i) {
    return (reads & bit) ? c.input(i) : Var();
  };
  if (c.needs(0)) {
    const Var y = (F::reads_a & kY) ? c.output() : Var();
    c.set(0, cotangent_product(c.cotangent(), F::partial_a(operand(F::reads_a, kA, 0),
                                                           operand(F::reads_a, kB, 1), y)));
  }
  if (c.needs(1)) {
    const Var y = (F::reads_b & kY) ? c.output() : Var();
    c.set(1, cotangent_product(c.cotangent(), F::partial_b(operand(F::reads_b, kA, 0),
                                                           operand(F::reads_b, kB, 1), y)));
  }
}

constexpr std::uint16_t reads_mask(int reads) {
  return static_cast<std::uint16_t>(((reads & (kX | kA)) ? 1 : 0) | ((reads & kB) ? 2 : 0) |
                                    ((reads & kY) ? kReadsOutputs : 0));
}

constexpr OpDef elementwise(std::string_view name, const ElementwiseOp& op, int inputs,
                            const Documentation& doc) {
  OpDef def;
  def.name = name;
  def.doc = doc;
  def.min_inputs = def.max_inputs = inputs;
  def.infer = infer_elementwise;
  def.evaluate = evaluate_elementwise;
  def.elementwise = &op;
  return def;
}

/// The record of a unary op with formula F.
template <class F>
constexpr OpDef unary(std::string_view name, const ElementwiseOp& op, const Documentation& doc) {
  OpDef def = elementwise(name, op, 1, doc);
  if constexpr (requires { F::reads; }) {
    def.differentiable = 1;
    def.reads = {reads_mask(F::reads)};
    def.vjp = unary_vjp<F>;
    def.backward = backward_elementwise;
  }
  if constexpr (requires { typename F::Attributes; }) {
    def.attributes = &attribute_type<typename F::Attributes>;
  }
  return def;
}

/// The record of a binary, broadcasting op with formula F.
template <class F>
constexpr OpDef binary(std::string_view name, const ElementwiseOp& op, const Documentation& doc) {
  OpDef def = elementwise(name, op, 2, doc);
  if constexpr (requires { F::reads_a; }) {
    def.differentiable = 3;
    def.reads = {reads_mask(F::reads_a), reads_mask(F::reads_b)};
    def.vjp = binary_vjp<F>;
    def.backward = backward_elementwise;
  }
  return def;
}

template <class F>
constexpr bool passes_first() {
  if constexpr (requires { F::passes_a; }) return F::passes_a;
  return false;
}
template <class F>
constexpr bool passes_second() {
  if constexpr (requires { F::passes_b; }) return F::passes_b;
  return false;
}

}  // namespace wengert::ops

#define WENGERT_LEVELS(op, Formula, is_predicate)                                             \
  namespace wengert::kernels {                                                                \
  namespace baseline {                                                                        \
  extern const ElementwiseKernels op##_kernels;                                               \
  }                                                                                           \
  namespace avx2 {                                                                            \
  extern const ElementwiseKernels op##_kernels;                                               \
  }                                                                                           \
  namespace avx512 {                                                                          \
  extern const ElementwiseKernels op##_kernels;                                               \
  }                                                                                           \
  }                                                                                           \
  namespace wengert::ops {                                                                    \
  extern ElementwiseOp op##_elementwise;                                                      \
  constinit ElementwiseOp op##_elementwise = {                                                \
      &kernels::baseline::op##_kernels,                                                       \
      is_predicate,                                                                           \
      {passes_first<formulas::Formula>(), passes_second<formulas::Formula>()}};               \
  static const ChooseLevel op##_level(op##_elementwise, &kernels::baseline::op##_kernels,     \
                                      WENGERT_X86(&kernels::avx2::op##_kernels),              \
                                      WENGERT_X86(&kernels::avx512::op##_kernels));           \
  }
#if defined(__x86_64__)
#define WENGERT_X86(kernels) kernels
#else
#define WENGERT_X86(kernels) nullptr
#endif

#define WENGERT_UNARY(name, Formula, dtypes) WENGERT_LEVELS(name, Formula, false)
#define WENGERT_BINARY(name, Formula, dtypes) WENGERT_LEVELS(name, Formula, false)
#define WENGERT_PREDICATE1(name, Formula, dtypes) WENGERT_LEVELS(name, Formula, true)
#define WENGERT_PREDICATE2(name, Formula, dtypes) WENGERT_LEVELS(name, Formula, true)
