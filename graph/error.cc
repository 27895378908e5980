#include "wengert/graph/error.h"

#include <utility>

namespace wengert {
namespace {

std::string compose(const Error::Parts& parts) {
  std::string text;
  if (!parts.op.empty()) text = parts.op + ": ";
  text += parts.message;
  if (!parts.scope.empty()) text += "; in scope " + parts.scope;
  if (!parts.file.empty()) {
    text += parts.scope.empty() ? "; at " : " at ";
    text += std::string(base_name(parts.file)) + ":" + std::to_string(parts.line);
  }
  if (!parts.fix.empty()) text += "; " + parts.fix;
  return text;
}

}  // namespace

std::string_view name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kShape:
      return "shape";
    case ErrorKind::kDType:
      return "dtype";
    case ErrorKind::kAxis:
      return "axis";
    case ErrorKind::kIndex:
      return "index";
    case ErrorKind::kValue:
      return "value";
    case ErrorKind::kGraph:
      return "graph";
    case ErrorKind::kParameter:
      return "parameter";
    case ErrorKind::kNonFinite:
      return "non-finite";
    case ErrorKind::kMemory:
      return "memory";
    case ErrorKind::kFile:
      return "file";
    case ErrorKind::kInternal:
      return "internal";
  }
  return "unknown";
}

Error::Error(Parts parts) : std::runtime_error(compose(parts)), parts_(std::move(parts)) {}

Error::Error(ErrorKind kind, std::string op, std::string message, std::string fix)
    : Error(Parts{.kind = kind,
                  .op = std::move(op),
                  .message = std::move(message),
                  .scope = {},
                  .file = {},
                  .line = 0,
                  .fix = std::move(fix)}) {}

Error::Error(ErrorKind kind, std::string op, std::string message, std::string fix,
             std::source_location where)
    : Error(Parts{.kind = kind,
                  .op = std::move(op),
                  .message = std::move(message),
                  .scope = {},
                  .file = where.file_name(),
                  .line = where.line(),
                  .fix = std::move(fix)}) {}

IoError::IoError(std::string path, std::string message, std::string fix)
    : Error(ErrorKind::kFile, {}, path + ": " + message, std::move(fix)), path_(std::move(path)) {}

std::string_view base_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace wengert
