#pragma once

#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/exact_number.h"
#include "wengert/graph/tensor.h"
#include "wengert/graph/var.h"

namespace wengert {

class Tape;

/// State of a ParameterSet that is not trained: a running statistic, a counter. It is named, drawn
/// and saved like a parameter, takes no gradient and is read with use(buffer). What a computation
/// makes of it is an update(buffer, value): it waits on the live tape and takes effect when the
/// step has succeeded, so that a failed step changes nothing.
class WENGERT_API Buffer {
 public:
  /// `initial`: the number that fills it at first, or none for a loaded value.
  Buffer(std::string name, Tensor value, std::optional<ExactNumber> initial)
      : name_(std::move(name)), value_(std::move(value)), initial_(initial) {}
  const std::string& name() const { return name_; }
  /// The value in effect. Its memory is never written: an update puts another tensor in its place.
  const Tensor& value() const { return value_; }
  /// The number that filled it, none if it was loaded.
  std::optional<ExactNumber> initial() const { return initial_; }
  /// Takes effect at once, for loaders and for what happens between steps; what waits on a tape
  /// waits on. Copies. Throws Error(kParameter) unless `value` has this dtype and shape.
  void set(const Tensor& value, std::source_location where = std::source_location::current());

 private:
  friend class BufferUpdates;
  std::string name_;
  Tensor value_;
  std::optional<ExactNumber> initial_;
};

/// New values of buffers, in the order in which they were made. Copies name the same updates: each
/// takes effect once, whoever commits it.
class WENGERT_API BufferUpdates {
 public:
  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  /// Those of `later` that are not here yet come after the ones that are. Of several updates of
  /// one buffer the last holds.
  void append(const BufferUpdates& later);
  /// What a buffer will be; null where no update of it waits.
  const Tensor* find(const Buffer& buffer) const;
  /// Lets every update that has not yet taken effect do so.
  void commit() const noexcept;

  /// For the library: each buffer once, with what it will be.
  std::vector<std::pair<Buffer*, Tensor>> latest() const;
  /// For the library: one more; `value` is nobody else's.
  void add(Buffer& buffer, Tensor value);
  void clear() { entries_.clear(); }

 private:
  struct Update {
    Tensor value;
    bool committed = false;
  };
  struct Entry {
    Buffer* buffer;
    std::shared_ptr<Update> update;
  };
  /// The last update of a buffer, or null.
  const Entry* last(const Buffer& buffer) const;
  std::vector<Entry> entries_;
};

/// The value of a buffer in the current graph, a constant: on a tape what the updates there will
/// make of it, or else those of the enclosing tapes; without a tape the value in effect.
WENGERT_API Var use(const Buffer& buffer,
                    std::source_location where = std::source_location::current());

/// `buffer` ← `value` when the step succeeds. The update waits on the live tape (also inside
/// NoGrad): it travels with the Gradients of that tape and takes effect when an optimizer's step
/// with them has succeeded, or by commit(tape); it is dropped with them. No gradient flows through
/// a buffer. Throws Error(kGraph) without a tape, where no step could fail: use Buffer::set there;
/// Error(kParameter) when dtype or shape differ.
WENGERT_API void update(Buffer& buffer, const Var& value,
                        std::source_location where = std::source_location::current());

/// Lets the updates that wait on this tape take effect: a step without an optimizer.
WENGERT_API void commit(const Tape& tape);

}  // namespace wengert
