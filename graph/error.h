#pragma once

#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>

#include "wengert/graph/api.h"

namespace wengert {

/// What kind of misuse an Error reports; stable, so that programs can branch on it.
enum class ErrorKind {
  kShape,      ///< sizes or ranks do not fit
  kDType,      ///< wrong or mixed element types
  kAxis,       ///< axis out of range or repeated
  kIndex,      ///< element index out of range
  kValue,      ///< an argument's value is outside its domain
  kGraph,      ///< tape ended, other tape, no gradient, released or overwritten values
  kParameter,  ///< duplicate, unknown or conflicting parameter names
  kNonFinite,  ///< NaN or infinity where training cannot go on
  kMemory,     ///< the system has no memory left for a result
  kFile,       ///< a file is missing, damaged or cannot be written
  kInternal,   ///< a broken op record: a bug in the op's definition
};

/// The word for a kind: "shape", "dtype", …
WENGERT_API std::string_view name_of(ErrorKind kind);

/// Misuse of the library. `what()` is one line that reads
/// `op: what is wrong; in scope a/b at file.cc:42; likely fix`.
class WENGERT_API Error : public std::runtime_error {
 public:
  /// What code, rather than people, needs to tell apart beyond the kind.
  enum class Cause : unsigned char {
    kOther,
    kEmptyVar,  ///< an operand was default constructed or moved from
  };
  /// The parts an error is made of; all but `message` may be empty.
  struct Parts {
    ErrorKind kind = ErrorKind::kValue;
    std::string op;
    std::string message;
    std::string scope;
    std::string file;
    unsigned line = 0;
    std::string fix;
    Cause cause = Cause::kOther;
    bool users_line = false;  ///< file and line are known to be the user's
  };

  explicit Error(Parts parts);
  /// Names scope and line of the library call that is running on this thread, if any.
  Error(ErrorKind kind, std::string op, std::string message, std::string fix = {});
  /// The same, and otherwise the scope and `where`.
  Error(ErrorKind kind, std::string op, std::string message, std::string fix,
        std::source_location where, Cause cause = Cause::kOther);

  ErrorKind kind() const { return parts_.kind; }
  const std::string& op() const { return parts_.op; }
  const std::string& message() const { return parts_.message; }
  const std::string& scope() const { return parts_.scope; }
  const std::string& file() const { return parts_.file; }
  unsigned line() const { return parts_.line; }
  const std::string& fix() const { return parts_.fix; }
  Cause cause() const { return parts_.cause; }
  /// Whether it names the user's line and goes on as it is; to others whoever calls adds it.
  bool is_located() const { return parts_.users_line; }

 private:
  Parts parts_;
};

/// A file that cannot be read or written, or does not hold what it should.
class WENGERT_API IoError : public Error {
 public:
  IoError(std::string path, std::string message, std::string fix = {});
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// The last component of a path, as messages show it.
WENGERT_API std::string_view base_name(std::string_view path);

}  // namespace wengert
