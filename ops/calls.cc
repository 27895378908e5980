#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/ops/loss/losses.h"
#include "wengert/ops/ops.h"
#include "wengert/ops/records.h"

// Calls of the elementwise ops and losses: all alike, so made from the table.
namespace wengert {
#define UNARY(name) \
  Var name(const Var& x, std::source_location where) { return apply(ops::name##_op, x, where); }
#define BINARY(name)                                                 \
  Var name(const Var& a, const Var& b, std::source_location where) { \
    return apply(ops::name##_op, a, b, where);                       \
  }
#define LOSS(name)                                                                                 \
  Var name(const Var& prediction, const Var& target, Reduction reduction, const Var& weights,      \
           std::source_location where) {                                                           \
    return apply(ops::name##_op, {&prediction, &target, &weights}, ops::LossAttributes{reduction}, \
                 where);                                                                           \
  }
#define OP(name, result, parameters)
#include "wengert/ops/ops.def"
#undef UNARY
#undef BINARY
#undef OP

Var Var::operator[](const IndexOperand& i) const {
  const detail::CallSite site(i.where);
  if (rank(i.where) == 0) {
    throw Error(ErrorKind::kAxis, "x[i]", to_string(dtype(), {}) + " has no axis to index",
                "x[i] gives element i along axis 0");
  }
  const std::int64_t count = size(0), from_front = i.index < 0 ? i.index + count : i.index;
  if (from_front < 0 || from_front >= count) {
    throw Error(ErrorKind::kIndex, "x[i]",
                "index " + std::to_string(i.index) + " of " + to_string(dtype(), shape()),
                count == 0 ? ""
                           : "indices go from " + std::to_string(-count) + " to " +
                                 std::to_string(count - 1));
  }
  return squeeze(slice(*this, {from_front}, {from_front + 1}, {0}, {}, i.where), {0}, i.where);
}

}  // namespace wengert
