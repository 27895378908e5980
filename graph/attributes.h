#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <new>
#include <source_location>
#include <span>
#include <string_view>
#include <type_traits>

#include "wengert/graph/api.h"
#include "wengert/graph/dtype.h"
#include "wengert/graph/exact_number.h"
#include "wengert/graph/shape.h"

// What an op is told beside its inputs: a struct of its own, which everybody else reads and writes
// by name.
namespace wengert {

struct OpDef;

/// Reads an op's attributes by name: for labels, JSON, hashing.
class WENGERT_API AttributeVisitor {
 public:
  virtual ~AttributeVisitor() = default;
  virtual void operator()(const char* name, std::int64_t value) = 0;
  virtual void operator()(const char* name, double value) = 0;
  virtual void operator()(const char* name, bool value) = 0;
  virtual void operator()(const char* name, std::string_view value) = 0;
  virtual void operator()(const char* name, std::span<const std::int64_t> value) = 0;
  void operator()(const char* name, const Dims& value) { (*this)(name, value.span()); }
  void operator()(const char* name, DType value) { (*this)(name, name_of(value)); }
  void operator()(const char* name, int value) { (*this)(name, std::int64_t{value}); }
  /// A double, or an integer that none is.
  void operator()(const char* name, const ExactNumber& value) {
    value.is_beyond_reals() ? (*this)(name, value.integer()) : (*this)(name, value.real());
  }
  /// An enum by the word that name_of gives for it.
  template <class E>
  requires std::is_enum_v<E>
  void operator()(const char* name, E value) { (*this)(name, std::string_view(name_of(value))); }
};

/// Writes an op's attributes by name; see Attributes.
class WENGERT_API AttributeWriter {
 public:
  virtual ~AttributeWriter() = default;
  virtual void operator()(const char* name, std::int64_t& value) = 0;
  virtual void operator()(const char* name, double& value) = 0;
  virtual void operator()(const char* name, ExactNumber& value) = 0;
  virtual void operator()(const char* name, bool& value) = 0;
  virtual void operator()(const char* name, std::string_view& value) = 0;
  virtual void operator()(const char* name, std::span<const std::int64_t>& value) = 0;
  virtual void operator()(const char* name, Dims& value) = 0;
  virtual void operator()(const char* name, DType& value) = 0;
  void operator()(const char* name, int& value) {
    std::int64_t wide = value;
    (*this)(name, wide);
    value = narrow(name, wide);
  }
  /// An enum by the word that name_of gives for it.
  template <class E>
  requires std::is_enum_v<E>
  void operator()(const char* name, E& value) {
    const auto word = [](int i) { return name_of(static_cast<E>(i)); };
    int chosen = static_cast<int>(value);
    choose(name, word, chosen);
    value = static_cast<E>(chosen);
  }

 protected:
  virtual void choose(const char* name, std::string_view (*word)(int), int& value) = 0;
  virtual int narrow(const char* name, std::int64_t value) = 0;
};

/// Memory that lives as long as the tape: attributes and long input lists lie there.
class WENGERT_API Arena {
 public:
  virtual void* allocate(std::size_t bytes) = 0;

 protected:
  ~Arena() = default;
};

/// How the engine handles an op's attribute struct without knowing it. The struct is trivially
/// copyable and has `template <class Self, class V> static void visit(Self& self, V&& v)` that
/// calls v("name", self.member) for each member: int, int64_t, double, ExactNumber, bool, DType,
/// Dims, std::string_view, std::span<const int64_t>, or an enum with a name_of.
struct AttributeType {
  std::size_t size;
  void (*visit)(const void* attributes, AttributeVisitor& visitor);
  void (*relocate)(void* attributes, Arena& arena);
  void (*write)(void* attributes, AttributeWriter& writer);
  void (*construct)(void* attributes);  ///< every member at its default, or 0
};

namespace detail {
struct Relocator {
  Arena& arena;
  template <class T>
  void operator()(const char*, T&) const {}
  WENGERT_API void operator()(const char*, std::string_view& text) const;
  WENGERT_API void operator()(const char*, std::span<const std::int64_t>& list) const;
};
}  // namespace detail

template <class A>
inline constexpr AttributeType attribute_type = {
    sizeof(A),
    [](const void* attributes, AttributeVisitor& visitor) {
      A::visit(*static_cast<const A*>(attributes), visitor);
    },
    [](void* attributes, Arena& arena) {
      static_assert(std::is_trivially_copyable_v<A>, "attributes are copied as bytes");
      A::visit(*static_cast<A*>(attributes), detail::Relocator{arena});
    },
    [](void* attributes, AttributeWriter& writer) {
      A::visit(*static_cast<A*>(attributes), writer);
    },
    [](void* attributes) { new (attributes) A{}; }};

/// Attributes whose members begin as the call's default arguments: see OpDef::default_attributes.
template <class A>
inline constexpr A default_attributes_of = {};

/// An op's attributes, written by name: what importers and tools call ops with.
///
///     Attributes a(*find_op("sum"));
///     a.set("axes", {0}).set("keepdims", true);
///     Var y = apply(op, inputs, a.get());
class WENGERT_API Attributes {
 public:
  /// The op's default attributes, or every member 0 where it has none.
  explicit Attributes(const OpDef& op,
                      std::source_location where = std::source_location::current());
  ~Attributes();
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;

  /// Throws Error(kValue) on an unknown name, naming the closest, or a value of another kind. An
  /// enum and a dtype are set by their word, a number by one that it can hold.
  Attributes& set(std::string_view name, std::int64_t value);
  Attributes& set(std::string_view name, int value) { return set(name, std::int64_t{value}); }
  Attributes& set(std::string_view name, double value);
  Attributes& set(std::string_view name, bool value);
  Attributes& set(std::string_view name, std::string_view value);
  Attributes& set(std::string_view name, const char* value) {
    return set(name, std::string_view(value));
  }
  Attributes& set(std::string_view name, std::span<const std::int64_t> value);
  Attributes& set(std::string_view name, std::initializer_list<std::int64_t> value) {
    return set(name, std::span<const std::int64_t>(value.begin(), value.size()));
  }
  /// The struct, valid as long as this; null for an op that has none.
  const void* get() const;

 private:
  struct Members;
  std::unique_ptr<Members> members_;
};

}  // namespace wengert
