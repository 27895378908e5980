#include "wengert/graph/error.h"

#include <utility>

#include "wengert/graph/call_site.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"

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

/// Without the middle of what is longer than anybody reads: a name may have as many bytes as a
/// file.
std::string readable(std::string text) {
  constexpr std::size_t kHead = 8192, kTail = 1024;
  if (text.size() <= kHead + kTail + std::string_view("…").size()) return text;
  std::size_t head = kHead, tail = text.size() - kTail;
  while (head > 0 && (text[head] & 0xC0) == 0x80) --head;  // characters stay whole
  while (tail < text.size() && (text[tail] & 0xC0) == 0x80) ++tail;
  return text.substr(0, head) + "…" + text.substr(tail);
}

/// Names and paths in a message may come from a hostile file, and whoever catches it prints it.
Error::Parts printable_parts(Error::Parts parts) {
  for (std::string* text : {&parts.op, &parts.message, &parts.scope, &parts.file, &parts.fix}) {
    *text = printable(readable(std::move(*text)));
  }
  return parts;
}

/// The account of what was thrown without one, or from within a public call.
Error::Parts located(ErrorKind kind, std::string op, std::string message, std::string fix,
                     std::source_location where, Error::Cause cause = Error::Cause::kOther) {
  if (detail::t_state.in_call) where = detail::t_state.call_site;
  Error::Parts parts{.kind = kind,
                     .op = std::move(op),
                     .message = std::move(message),
                     .scope = {},
                     .file = {},
                     .line = 0,
                     .fix = std::move(fix),
                     .cause = cause,
                     .users_line = detail::t_state.in_call};
  if (where.line() == 0) return parts;
  parts.scope = Scope::path();
  parts.file = where.file_name();
  parts.line = where.line();
  return parts;
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

Error::Error(Parts parts)
    : std::runtime_error(compose(printable_parts(parts))),
      parts_(printable_parts(std::move(parts))) {}

Error::Error(ErrorKind kind, std::string op, std::string message, std::string fix)
    : Error(located(kind, std::move(op), std::move(message), std::move(fix), {})) {}

Error::Error(ErrorKind kind, std::string op, std::string message, std::string fix,
             std::source_location where, Cause cause)
    : Error(located(kind, std::move(op), std::move(message), std::move(fix), where, cause)) {}

IoError::IoError(std::string path, std::string message, std::string fix)
    : Error(located(ErrorKind::kFile, {}, path + ": " + message, std::move(fix), {})),
      path_(std::move(path)) {}

std::string_view base_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace wengert
