#include "wengert/ops/composite.h"

#include "wengert/graph/tape.h"

namespace wengert::ops {

void fail_composite(const OpDef& op, ErrorKind kind, std::string message, std::string fix,
                    std::source_location where) {
  throw Error({.kind = kind,
               .op = std::string(op.name),
               .message = std::move(message),
               .scope = Scope::path(),
               .file = where.file_name(),
               .line = where.line(),
               .fix = std::move(fix)});
}

void require_operands(const OpDef& op, std::span<const Var> operands, std::source_location where) {
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (operands[i]) continue;
    fail_composite(op, ErrorKind::kGraph, "input " + std::to_string(i) + " is an empty Var",
                   "assign the result of an op to it first", where);
  }
}

}  // namespace wengert::ops
