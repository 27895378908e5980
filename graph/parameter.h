#pragma once

#include <cstdint>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/buffer.h"
#include "wengert/graph/exact_number.h"
#include "wengert/graph/op.h"
#include "wengert/graph/random_stream.h"
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
  /// Access for optimizers and loaders; write through a WriteGuard. Dense: a strided value that was
  /// put here is copied first. Throws Error(kMemory) where there is no memory for that.
  Tensor& mutable_value();
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

/// Named parameters, buffers and random streams with one seed, under names of which each stands for
/// one thing. They are created on first use by name; using a name again shares it. Creation is safe
/// from several threads; so is reading while nobody writes. The set outlives the tapes that use it
/// and their gradients.
class WENGERT_API ParameterSet {
 public:
  explicit ParameterSet(std::uint64_t seed = 0);
  ~ParameterSet();
  ParameterSet(const ParameterSet&) = delete;
  ParameterSet& operator=(const ParameterSet&) = delete;

  std::uint64_t seed() const { return seed_; }
  /// The parameter `scope path/name`, created by `initializer` at its first use.
  /// Throws Error(kParameter) when it exists with another dtype, shape or initializer, and when
  /// another line declared it on the live tape (see shared).
  Parameter& declare(std::string_view name, const Shape& shape, DType dtype,
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
  /// In order of creation; buffers are not among them.
  std::vector<Parameter*> all();
  std::vector<const Parameter*> all() const;
  std::size_t size() const;
  /// Number of trained elements.
  std::int64_t element_count() const;

  /// The buffer `scope path/name`, filled with `initial` at its first use. Throws Error(kParameter)
  /// when it exists with another dtype, shape or initial value, or is a parameter; Error(kValue)
  /// when the dtype does not hold `initial`.
  Buffer& declare_buffer(std::string_view name, const Shape& shape, DType dtype,
                         ExactNumber initial = 0,
                         std::source_location where = std::source_location::current());
  /// Adds a buffer under its full name; copies. Throws Error(kParameter) if the name is taken.
  Buffer& add_buffer(std::string name, const Tensor& value,
                     std::source_location where = std::source_location::current());
  /// Adds parameters and buffers under their full names: all, or on an error none. Copies as add
  /// and add_buffer do. Throws what these throw.
  void add_all(std::vector<std::pair<std::string, Tensor>> parameters,
               const std::vector<std::pair<std::string, Tensor>>& buffers,
               std::source_location where = std::source_location::current());
  /// By full name; null when unknown.
  Buffer* find_buffer(std::string_view name);
  const Buffer* find_buffer(std::string_view name) const;
  /// In order of creation.
  std::vector<Buffer*> buffers();
  std::vector<const Buffer*> buffers() const;

  /// From here on declaring a parameter or buffer that is not here throws Error(kParameter): what
  /// is here is complete, "the file model.safetensors" for instance, and a new one would be random.
  /// Counters of streams are still made.
  void seal(std::string source);

  /// The random stream `scope path/name` of this set's seed. It counts in the buffer `…/counter`,
  /// so that a failed step draws again and a checkpoint goes on where it was. Threads may draw at
  /// once while each has a tape (see RandomLane).
  RandomStream& stream(std::string_view name,
                       std::source_location where = std::source_location::current());

 private:
  struct Members;
  std::uint64_t seed_;
  std::unique_ptr<Members> members_;
};

/// While it lives, `use` gives other values in the place of parameters, on this thread: in layers
/// and wherever else. Gradients flow to what those values were computed from, the parameters
/// beneath among them if they were used before. Overrides nest; the innermost counts.
class WENGERT_API ParameterOverride {
 public:
  /// Throws Error(kParameter) on a name that the set does not have, or a value of another dtype or
  /// shape than its parameter.
  [[nodiscard]] ParameterOverride(ParameterSet& parameters,
                                  std::vector<std::pair<std::string, Var>> values,
                                  std::source_location where = std::source_location::current());
  ~ParameterOverride();
  ParameterOverride(const ParameterOverride&) = delete;
  ParameterOverride& operator=(const ParameterOverride&) = delete;

  /// For the library: values that fit, for parameters of any set.
  [[nodiscard]] explicit ParameterOverride(std::vector<std::pair<const Parameter*, Var>> values);
  /// For the library: all that stands for parameters on this thread, each of these once.
  static std::vector<std::pair<const Parameter*, Var>> in_effect();

  /// What stands for a parameter on this thread; null where it stands for itself.
  static const Var* find(const Parameter& parameter);

 private:
  std::vector<std::pair<const Parameter*, Var>> values_;
  const ParameterOverride* outer_;
};

/// The value of a parameter in the current graph: a leaf of the live tape, or a mere value; or what
/// a ParameterOverride puts in its place.
WENGERT_API Var use(Parameter& parameter,
                    std::source_location where = std::source_location::current());

}  // namespace wengert
