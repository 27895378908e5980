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

}  // namespace wengert::ops
