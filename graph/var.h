#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <limits>
#include <source_location>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "wengert/graph/api.h"
#include "wengert/graph/shape.h"
#include "wengert/graph/tensor.h"
#include "wengert/graph/value.h"

namespace wengert {

class Parameter;

template <class T>
concept Number = std::is_arithmetic_v<T>;

/// The i of x[i] with the place where it stands: an operator cannot have default arguments.
struct IndexOperand {
  std::int64_t index;
  std::source_location where;
  template <std::integral I>
  requires(!std::same_as<I, bool>)
      IndexOperand(I i,  // NOLINT(google-explicit-constructor)
                   std::source_location at = std::source_location::current())
      : index(static_cast<std::int64_t>(i)), where(at) {}
};

/// A handle to a value that ops compute with and a tape records: 8 bytes, counted, cheap to copy.
/// It belongs to the thread that made it; pass `value()` between threads. It outlives its tape:
/// `value()` still works, while what needs the graph throws Error(kGraph).
/// An empty Var (default constructed or moved from) throws on every use.
class WENGERT_NODISCARD_API Var {
 public:
  Var() = default;
  /// A constant: no gradient flows into it. Shares the tensor's memory.
  Var(const Tensor& tensor);  // NOLINT(google-explicit-constructor)
  /// The parameter in the current graph, as use(parameter): its gradient flows.
  Var(Parameter& parameter,  // NOLINT(google-explicit-constructor)
      std::source_location where = std::source_location::current());
  /// A number that takes the dtype of the tensors it meets; alone it becomes float32, or int64
  /// for an integer (one beyond int64 counts as fractional).
  template <Number T>
  Var(T number)  // NOLINT(google-explicit-constructor)
      : Var(!fits_integer(number), static_cast<double>(number),
            fits_integer(number) ? static_cast<std::int64_t>(number) : 0) {}

  Var(const Var& other) : value_(other.value_) {
    if (value_ != nullptr) detail::hold(value_);
  }
  Var(Var&& other) noexcept : value_(std::exchange(other.value_, nullptr)) {}
  Var& operator=(const Var& other) {
    Var copy(other);
    std::swap(value_, copy.value_);
    return *this;
  }
  Var& operator=(Var&& other) noexcept {
    if (this != &other) {
      detail::Value* old = std::exchange(value_, std::exchange(other.value_, nullptr));
      if (old != nullptr) detail::drop(old);
    }
    return *this;
  }
  ~Var() {
    if (value_ != nullptr) detail::drop(value_);
  }

  /// Whether this is not empty. A Var is no condition: what a comparison gives is a Var like any
  /// other, to be read with (x > 2).item<bool>().
  bool has_value() const { return value_ != nullptr; }
  DType dtype(std::source_location where = std::source_location::current()) const;
  Shape shape(std::source_location where = std::source_location::current()) const;
  int rank(std::source_location where = std::source_location::current()) const;
  /// Size along `axis`, negative axes from the back. Throws Error(kAxis).
  std::int64_t size(int axis, std::source_location where = std::source_location::current()) const;
  std::int64_t element_count(std::source_location where = std::source_location::current()) const;
  /// Whether a gradient can flow back through this value.
  bool requires_grad(std::source_location where = std::source_location::current()) const;
  /// The value, sharing memory with the graph; it outlives the tape and carries no gradient.
  Tensor value(std::source_location where = std::source_location::current()) const;
  /// Element `i` along axis 0, counted from the back where negative: a view, recorded as slice and
  /// squeeze. Throws Error(kAxis) on a scalar, Error(kIndex).
  Var operator[](const IndexOperand& i) const;
  /// The only element. Throws Error(kShape, kDType).
  template <class T>
  T item(std::source_location where = std::source_location::current()) const {
    return value(where).template item<T>(where);
  }
  /// The only element as double, whatever the dtype.
  double scalar_value(std::source_location where = std::source_location::current()) const {
    return value(where).scalar_value(where);
  }
  /// dtype, shape and values, for reading.
  std::string str(std::source_location where = std::source_location::current()) const {
    return value(where).str();
  }
  /// As str(), "empty" for an empty Var.
  friend WENGERT_API std::ostream& operator<<(std::ostream& out, const Var& var);

  /// For the library itself.
  static Var take(detail::Value* held) {
    Var result;
    result.value_ = held;
    return result;
  }
  static Var share(detail::Value* value) {
    detail::hold(value);
    return take(value);
  }
  detail::Value* get() const { return value_; }
  detail::Value* release() { return std::exchange(value_, nullptr); }

 private:
  template <Number T>
  static constexpr bool fits_integer(T number) {
    if constexpr (std::is_floating_point_v<T>) return false;
    return sizeof(T) < 8 || std::is_signed_v<T> ||
           number <= static_cast<T>(std::numeric_limits<std::int64_t>::max());
  }
  Var(bool fractional, double real, std::int64_t integer);
  const detail::Value& checked(std::source_location where) const;
  detail::Value* value_ = nullptr;
};

namespace detail {
/// A number (a Var made of one, no tensor) as a scalar of `dtype`.
Tensor number_in(const Var& number, DType dtype);
}  // namespace detail

/// Several Vars for one call: {a, b}, a vector, an array or a span. It refers to what it is made of
/// and lives no longer than the call.
class VarList {
 public:
  VarList() = default;
  VarList(std::initializer_list<Var> list)  // NOLINT(google-explicit-constructor)
      : list_(std::data(list), list.size()) {}
  template <class List>
  requires std::convertible_to<const List&, std::span<const Var>> VarList(const List& list)
      : list_(list) {}                                     // NOLINT(google-explicit-constructor)
  operator std::span<const Var>() const { return list_; }  // NOLINT(google-explicit-constructor)

  std::size_t size() const { return list_.size(); }
  bool empty() const { return list_.empty(); }
  const Var& operator[](std::size_t i) const { return list_[i]; }
  auto begin() const { return list_.begin(); }
  auto end() const { return list_.end(); }

 private:
  std::span<const Var> list_;
};

/// A differentiable input without history: gradients with respect to it can be asked for. It may
/// be used on several tapes, one after the other.
WENGERT_API Var variable(const Tensor& tensor,
                         std::source_location where = std::source_location::current());
template <Number T>
Var variable(T number, std::source_location where = std::source_location::current()) {
  return variable(Tensor::scalar(number), where);
}

/// An operand of an operator with the place where the operator stands. Operators cannot have
/// default arguments, so this parameter type captures the caller's line as it converts.
struct Operand {
  const Var* var;
  Var made;  ///< holds what was converted from a tensor, a parameter or a number
  std::source_location where;
  Operand(const Var& v, std::source_location at = std::source_location::current())
      : var(&v), where(at) {}
  Operand(const Tensor& t, std::source_location at = std::source_location::current())
      : var(&made), made(t), where(at) {}
  Operand(Parameter& p, std::source_location at = std::source_location::current())
      : var(&made), made(p, at), where(at) {}
  template <Number T>
  Operand(T number, std::source_location at = std::source_location::current())
      : var(&made), made(number), where(at) {}
  Operand(const Operand&) = delete;
};

}  // namespace wengert
