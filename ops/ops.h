#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <source_location>
#include <string_view>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/exact_number.h"
#include "wengert/graph/var.h"
#include "wengert/ops/loss/class_options.h"
#include "wengert/ops/loss/reduction.h"
#include "wengert/ops/random_stream.h"

// The ops, declared from the table ops.def. `wengert ops NAME` prints the page of each: formula,
// arguments, shapes, domain, gradient. Every op computes at once, is recorded where a tape is
// live, and throws wengert::Error naming op, shapes, scope and this call's line on misuse.

namespace wengert {

/// What pad() puts beyond the ends: a value, the nearest element, or the mirror image without the
/// end element itself.
enum class PadMode : std::uint8_t { kConstant, kEdge, kReflect };
/// "constant", "edge", "reflect".
constexpr std::string_view name_of(PadMode mode) {
  constexpr std::string_view kNames[] = {"constant", "edge", "reflect"};
  return mode <= PadMode::kReflect ? kNames[static_cast<int>(mode)] : "unknown";
}

/// What rrelu() takes in inference for slopes drawn from [l, h) in training: (l + h)/2, or the
/// harmonic mean 2/(1/l + 1/h).
enum class MeanSlope : std::uint8_t { kArithmetic, kHarmonic };
/// "arithmetic", "harmonic".
constexpr std::string_view name_of(MeanSlope mean) {
  constexpr std::string_view kNames[] = {"arithmetic", "harmonic"};
  return mean <= MeanSlope::kHarmonic ? kNames[static_cast<int>(mean)] : "unknown";
}

/// What an op with n outputs gives: auto [values, indices] = sort(x).
template <std::size_t n>
using Outputs = std::array<Var, n>;

#define UNARY(name)                   \
  [[nodiscard]] WENGERT_API Var name( \
      const Var& x, std::source_location where = std::source_location::current());
#define BINARY(name)                  \
  [[nodiscard]] WENGERT_API Var name( \
      const Var& a, const Var& b, std::source_location where = std::source_location::current());
#define WENGERT_PARAMETERS(...) __VA_ARGS__
#define OP(name, result, parameters)     \
  [[nodiscard]] WENGERT_API result name( \
      WENGERT_PARAMETERS parameters,     \
      std::source_location where = std::source_location::current());
#include "wengert/ops/ops.def"
#undef UNARY
#undef BINARY
#undef OP

inline Var operator+(const Operand& a, const Operand& b) { return add(*a.var, *b.var, a.where); }
inline Var operator-(const Operand& a, const Operand& b) { return sub(*a.var, *b.var, a.where); }
inline Var operator*(const Operand& a, const Operand& b) { return mul(*a.var, *b.var, a.where); }
inline Var operator/(const Operand& a, const Operand& b) { return div(*a.var, *b.var, a.where); }
inline Var operator>(const Operand& a, const Operand& b) {
  return greater(*a.var, *b.var, a.where);
}
inline Var operator<(const Operand& a, const Operand& b) { return less(*a.var, *b.var, a.where); }
inline Var operator<=(const Operand& a, const Operand& b) {
  return less_equal(*a.var, *b.var, a.where);
}
inline Var operator>=(const Operand& a, const Operand& b) {
  return greater_equal(*a.var, *b.var, a.where);
}
inline Var operator-(const Operand& a) { return neg(*a.var, a.where); }

// Recorded like a = a + b: the handle names the result, other handles what it named before.
inline Var& operator+=(Var& a, const Operand& b) { return a = add(a, *b.var, b.where); }
inline Var& operator-=(Var& a, const Operand& b) { return a = sub(a, *b.var, b.where); }
inline Var& operator*=(Var& a, const Operand& b) { return a = mul(a, *b.var, b.where); }
inline Var& operator/=(Var& a, const Operand& b) { return a = div(a, *b.var, b.where); }

}  // namespace wengert
