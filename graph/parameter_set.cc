#include <deque>
#include <mutex>
#include <type_traits>
#include <unordered_set>

#include "wengert/graph/call_site.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/scope_table.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/graph/thread_state.h"

namespace wengert {

using detail::ScopedName;

namespace {

/// Things with name(), at stable addresses and in order of creation, found by text or by scope and
/// text.
template <class T>
class NameTable {
 public:
  template <class Name>
  T* find(const Name& name) const {
    const auto it = by_name_.find(name);
    return it == by_name_.end() ? nullptr : *it;
  }
  template <class... Rest>
  T& insert(Rest&&... rest) {
    T& made = all_.emplace_back(std::forward<Rest>(rest)...);
    try {
      by_name_.insert(&made);
    } catch (...) {
      all_.pop_back();
      throw;
    }
    return made;
  }
  template <class Pointer>
  std::vector<Pointer> all() {
    std::vector<Pointer> result;
    for (T& each : all_) result.push_back(&each);
    return result;
  }
  std::size_t size() const { return all_.size(); }
  /// Takes the last ones away again, those beyond `count`.
  void truncate(std::size_t count) noexcept {
    while (all_.size() > count) {
      by_name_.erase(&all_.back());
      all_.pop_back();
    }
  }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const {
      return detail::hash_text(detail::kEmptyTextHash, name);
    }
    std::size_t operator()(const T* known) const { return (*this)(known->name()); }
    std::size_t operator()(const ScopedName& name) const { return name.hash(); }
  };
  struct SameName {
    using is_transparent = void;
    bool operator()(const T* a, const T* b) const { return a->name() == b->name(); }
    bool operator()(const T* a, std::string_view b) const { return a->name() == b; }
    bool operator()(const T* a, const ScopedName& b) const { return b.is(a->name()); }
    template <class Name>
    requires(!std::is_pointer_v<Name>) bool operator()(const Name& a, const T* b) const {
      return (*this)(b, a);
    }
  };
  std::deque<T> all_;
  std::unordered_set<T*, Hash, SameName> by_name_;
};

[[noreturn]] void fail(std::string message, std::string fix = {}) {
  throw Error(ErrorKind::kParameter, "ParameterSet", std::move(message), std::move(fix));
}

void check_type(const char* kind, const std::string& name, const Tensor& value, DType dtype,
                const Shape& shape) {
  if (value.dtype() == dtype && value.shape() == shape) [[likely]]
    return;
  fail(std::string(kind) + " '" + name + "' is " + to_string(value.dtype(), value.shape()) +
           ", used here as " + to_string(dtype, shape),
       "give it another name, or the same sizes to share it");
}

}  // namespace

struct ParameterSet::Members {
  mutable std::mutex mutex;
  NameTable<Parameter> parameters;
  NameTable<Buffer> buffers;
  NameTable<RandomStream> streams;
  std::string sealed_by;  ///< what is complete; empty: not sealed

  void check_open(const char* kind, const std::string& name) {
    if (sealed_by.empty()) [[likely]]
      return;
    std::vector<std::string> names;
    for (const Parameter* known : parameters.all<const Parameter*>())
      names.push_back(known->name());
    for (const Buffer* known : buffers.all<const Buffer*>()) names.push_back(known->name());
    const std::string close = closest(name, names);
    fail(sealed_by + " has no " + kind + " '" + name + "'",
         close.empty() ? "use one of this model, or load with allow_missing = true"
                       : "did you mean '" + close + "'?");
  }
  void check_free(const std::string& name) const {
    if (name.empty()) fail("a parameter needs a name");
    if (parameters.find(name) != nullptr) {
      fail("parameter '" + name + "' exists already", "use at(name) to change its value");
    }
    if (buffers.find(name) != nullptr) {
      fail("'" + name + "' is a buffer already", "give one of them another name");
    }
  }
  [[noreturn]] void fail_unknown(std::string_view name) {
    if (buffers.find(name) != nullptr) {
      fail("'" + std::string(name) + "' is a buffer, no parameter", "ask find_buffer(name)");
    }
    std::vector<std::string> names;
    for (const Parameter* known : parameters.all<const Parameter*>())
      names.push_back(known->name());
    const std::string close = closest(name, names);
    fail("no parameter named '" + std::string(name) + "'",
         close.empty() ? "the set has " + std::to_string(names.size()) + " parameters"
                       : "did you mean '" + close + "'?");
  }
  Parameter& add(std::string name, Tensor value) {
    check_free(name);
    // Optimizers write into it: it must be memory that nobody else sees.
    const detail::Storage* storage = value.storage();
    const bool own = storage != nullptr && !storage->adopted &&
                     storage->refs.load(std::memory_order_acquire) == 1 && value.is_dense();
    return parameters.insert(std::move(name), own ? std::move(value) : value.clone());
  }
  Buffer& add_buffer(std::string name, const Tensor& value) {
    check_free(name);
    return buffers.insert(std::move(name), value.clone(), std::nullopt);
  }
  Buffer& declare_buffer(const ScopedName& name, const Shape& shape, DType dtype,
                         ExactNumber initial, bool of_stream = false) {
    if (Buffer* known = buffers.find(name)) {
      check_type("buffer", known->name(), known->value(), dtype, shape);
      if (known->initial() && *known->initial() != initial) {
        fail("buffer '" + known->name() + "' began as " + known->initial()->str() +
                 ", used here with " + initial.str(),
             "share it under one initial value, or give it another name");
      }
      return *known;
    }
    name.refuse_recursion();
    std::string full(name.str());
    check_free(full);
    if (!of_stream) check_open("buffer", full);
    return buffers.insert(std::move(full), Tensor::full(shape, initial, dtype), initial);
  }
};

ParameterSet::ParameterSet(std::uint64_t seed)
    : seed_(seed), members_(std::make_unique<Members>()) {}
ParameterSet::~ParameterSet() = default;

Parameter& ParameterSet::declare(std::string_view name, const Shape& shape, DType dtype,
                                 const Initializer& initializer, const Fans& fans,
                                 std::source_location where) {
  const detail::CallSite site(where);
  const ScopedName scoped(name);
  Parameter* found;
  {
    std::lock_guard lock(members_->mutex);
    found = members_->parameters.find(scoped);
    if (found == nullptr) {
      scoped.refuse_recursion();
      std::string full = scoped.str();
      members_->check_free(full);
      members_->check_open("parameter", full);
      Tensor value = Tensor::empty(shape, dtype);
      initializer.fill(initializer, seed_, full, fans, value);
      found = &members_->parameters.insert(std::move(full), std::move(value), initializer, fans);
    }
  }
  check_type("parameter", found->name(), found->value(), dtype, shape);
  if (!found->fits(initializer, fans)) [[unlikely]] {
    fail("parameter '" + found->name() + "' was initialized by " + found->initializer() +
             ", used here with " + initializer.describe(fans),
         "share it under one initializer, or give it another name");
  }
  if (Tape* tape = Tape::current()) tape->check_sharing(*found, where);
  return *found;
}

Parameter& ParameterSet::add(std::string name, Tensor value, std::source_location where) {
  const detail::CallSite site(where);
  std::lock_guard lock(members_->mutex);
  return members_->add(std::move(name), std::move(value));
}

void ParameterSet::add_all(std::vector<std::pair<std::string, Tensor>> parameters,
                           const std::vector<std::pair<std::string, Tensor>>& buffers,
                           std::source_location where) {
  const detail::CallSite site(where);
  std::lock_guard lock(members_->mutex);
  const std::size_t known = members_->parameters.size(), known_buffers = members_->buffers.size();
  try {
    for (auto& [name, value] : parameters) members_->add(std::move(name), std::move(value));
    for (const auto& [name, value] : buffers) members_->add_buffer(name, value);
  } catch (...) {
    members_->parameters.truncate(known);
    members_->buffers.truncate(known_buffers);
    throw;
  }
}

Parameter& ParameterSet::at(std::string_view name, std::source_location where) {
  const detail::CallSite site(where);
  std::lock_guard lock(members_->mutex);
  if (Parameter* known = members_->parameters.find(name)) return *known;
  members_->fail_unknown(name);
}

const Parameter& ParameterSet::at(std::string_view name, std::source_location where) const {
  return const_cast<ParameterSet*>(this)->at(name, where);
}

Parameter* ParameterSet::find(std::string_view name) {
  std::lock_guard lock(members_->mutex);
  return members_->parameters.find(name);
}

const Parameter* ParameterSet::find(std::string_view name) const {
  std::lock_guard lock(members_->mutex);
  return members_->parameters.find(name);
}

std::vector<Parameter*> ParameterSet::all() {
  std::lock_guard lock(members_->mutex);
  return members_->parameters.all<Parameter*>();
}

std::vector<const Parameter*> ParameterSet::all() const {
  std::lock_guard lock(members_->mutex);
  return members_->parameters.all<const Parameter*>();
}

std::size_t ParameterSet::size() const {
  std::lock_guard lock(members_->mutex);
  return members_->parameters.size();
}

std::int64_t ParameterSet::element_count() const {
  std::int64_t total = 0;
  for (const Parameter* parameter : all()) total += parameter->value().element_count();
  return total;
}

Buffer& ParameterSet::declare_buffer(std::string_view name, const Shape& shape, DType dtype,
                                     ExactNumber initial, std::source_location where) {
  const detail::CallSite site(where);
  std::lock_guard lock(members_->mutex);
  return members_->declare_buffer(ScopedName(name), shape, dtype, initial);
}

Buffer& ParameterSet::add_buffer(std::string name, const Tensor& value,
                                 std::source_location where) {
  const detail::CallSite site(where);
  std::lock_guard lock(members_->mutex);
  return members_->add_buffer(std::move(name), value);
}

Buffer* ParameterSet::find_buffer(std::string_view name) {
  std::lock_guard lock(members_->mutex);
  return members_->buffers.find(name);
}

const Buffer* ParameterSet::find_buffer(std::string_view name) const {
  std::lock_guard lock(members_->mutex);
  return members_->buffers.find(name);
}

std::vector<Buffer*> ParameterSet::buffers() {
  std::lock_guard lock(members_->mutex);
  return members_->buffers.all<Buffer*>();
}

std::vector<const Buffer*> ParameterSet::buffers() const {
  std::lock_guard lock(members_->mutex);
  return members_->buffers.all<const Buffer*>();
}

void ParameterSet::seal(std::string source) {
  std::lock_guard lock(members_->mutex);
  members_->sealed_by = std::move(source);
}

RandomStream& ParameterSet::stream(std::string_view name, std::source_location where) {
  const detail::CallSite site(where);
  const ScopedName scoped(name);
  std::lock_guard lock(members_->mutex);
  if (RandomStream* known = members_->streams.find(scoped)) return *known;
  if (name.empty()) fail("a random stream needs a name");
  const std::string counter = std::string(name) + "/counter";
  Buffer& buffer = members_->declare_buffer(ScopedName(counter), {}, DType::kInt64, 0, true);
  return members_->streams.insert(seed_, scoped.str(), buffer);
}

}  // namespace wengert
