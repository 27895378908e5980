#pragma once

#include <cstdint>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/op.h"
#include "wengert/graph/tensor.h"
#include "wengert/graph/var.h"

namespace wengert {

/// How to fill a new parameter: a formula with up to two numbers. nn/initializers.h makes them.
struct Initializer {
  std::string_view name;  ///< "he_normal", "constant", …
  double first = 0;       ///< its numbers, in the order that its maker documents
  double second = 0;
  /// Fills a dense tensor; the bits depend on seed, parameter name and element alone.
  void (*fill)(const Initializer& self, std::uint64_t seed, std::string_view parameter,
               const Fans& fans, Tensor& out) = nullptr;

  /// "he_normal(0, 0; fan_in=784, fan_out=300)"
  WENGERT_API std::string describe(const Fans& fans) const;
};

/// A trained tensor with a stable name such as `encoder/fc1/weight`.
class WENGERT_API Parameter {
 public:
  /// A loaded value: it carries no initializer.
  Parameter(std::string name, Tensor value) : name_(std::move(name)), value_(std::move(value)) {}
  Parameter(std::string name, Tensor value, const Initializer& initializer, const Fans& fans);
  const std::string& name() const { return name_; }
  /// Shares the memory that optimizers write into: keep a clone() to remember a value.
  const Tensor& value() const { return value_; }
  /// Access for optimizers and loaders; write through a WriteGuard.
  Tensor& mutable_value() { return value_; }
  /// How it was first filled: "he_normal(0, 0; fan_in=784, fan_out=300)"; empty if it was loaded.
  std::string initializer() const;
  /// Whether a use under this initializer means the same parameter: what was loaded fits any.
  bool fits(const Initializer& initializer, const Fans& fans) const;
  /// A frozen parameter enters graphs as a constant.
  bool trainable() const { return trainable_; }
  void set_trainable(bool on) { trainable_ = on; }

 private:
  std::string name_;
  Tensor value_;
  std::string initializer_name_;
  double numbers_[2] = {0, 0};
  Fans fans_;
  bool loaded_ = true;
  bool trainable_ = true;
};

/// Named parameters with one seed. Parameters are created on first use by name; using a name
/// again shares it. Creation is safe from several threads; so is reading while nobody writes. The
/// set outlives the tapes that use it and their gradients.
class WENGERT_API ParameterSet {
 public:
  explicit ParameterSet(std::uint64_t seed = 0);
  ~ParameterSet();
  ParameterSet(const ParameterSet&) = delete;
  ParameterSet& operator=(const ParameterSet&) = delete;

  std::uint64_t seed() const { return seed_; }
  /// The parameter `scope path/name`, created by `initializer` at its first use.
  /// Throws Error(kParameter) when it exists with another dtype, shape or initializer.
  Parameter& declare(std::string_view name, DType dtype, const Shape& shape,
                     const Initializer& initializer, const Fans& fans,
                     std::source_location where = std::source_location::current());
  /// Adds a parameter under its full name, with a value that is copied unless nobody else holds
  /// its memory. Throws Error(kParameter) if the name is taken.
  Parameter& add(std::string name, Tensor value,
                 std::source_location where = std::source_location::current());
  /// By full name. Throws Error(kParameter) naming the closest known name.
  Parameter& at(std::string_view name,
                std::source_location where = std::source_location::current());
  const Parameter& at(std::string_view name,
                      std::source_location where = std::source_location::current()) const;
  /// Null when unknown.
  Parameter* find(std::string_view name);
  const Parameter* find(std::string_view name) const;
  /// In order of creation.
  std::vector<Parameter*> all();
  std::vector<const Parameter*> all() const;
  std::size_t size() const;
  /// Number of trained elements.
  std::int64_t element_count() const;

 private:
  struct Members;
  std::uint64_t seed_;
  std::unique_ptr<Members> members_;
};

/// The value of a parameter in the current graph: a leaf of the live tape, or a mere value.
WENGERT_API Var use(Parameter& parameter,
                    std::source_location where = std::source_location::current());

}  // namespace wengert
