#include "wengert/graph/buffer.h"

#include <algorithm>

#include "wengert/graph/call_site.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/thread_state.h"

namespace wengert {
namespace {

/// "update" on the tape: which buffer its input is for.
struct UpdateAttributes {
  std::string_view buffer;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("buffer", self.buffer);
  }
};

void infer_update(InferContext& call) { call.output_view(0, call.shape(0), call.strides(0)); }

constexpr OpDef make_update_op() {
  OpDef op;
  op.name = "update";
  op.doc = {.summary = "What a buffer will be when the step succeeds.",
            .formula = "buffer ← x",
            .arguments = "a Buffer of a ParameterSet; x: of its dtype and shape",
            .gradient = "none: no gradient flows through a buffer",
            .source = "R. E. Wengert, A simple automatic derivative evaluation program, 1964"};
  op.infer = infer_update;
  op.attributes = &attribute_type<UpdateAttributes>;
  return op;
}

constinit const OpDef update_op = make_update_op();

[[noreturn]] void refuse(const Buffer& buffer, const std::string& given) {
  const Tensor& value = buffer.value();
  throw Error(ErrorKind::kParameter, "Buffer",
              "buffer '" + buffer.name() + "' is " + to_string(value.dtype(), value.shape()) +
                  ", its new value " + given,
              "a buffer keeps its dtype and shape");
}

}  // namespace

void Buffer::set(const Tensor& value, std::source_location where) {
  const detail::CallSite site(where);
  if (value.dtype() != value_.dtype() || !(value.shape() == value_.shape())) {
    refuse(*this, to_string(value.dtype(), value.shape()));
  }
  value_ = value.clone();
}

const BufferUpdates::Entry* BufferUpdates::last(const Buffer& buffer) const {
  const auto found = std::find_if(entries_.rbegin(), entries_.rend(),
                                  [&](const Entry& entry) { return entry.buffer == &buffer; });
  return found == entries_.rend() ? nullptr : &*found;
}

std::vector<std::pair<Buffer*, Tensor>> BufferUpdates::latest() const {
  std::vector<std::pair<Buffer*, Tensor>> result;
  for (const Entry& entry : entries_) {
    if (last(*entry.buffer) == &entry) result.push_back({entry.buffer, entry.update->value});
  }
  return result;
}

void BufferUpdates::append(const BufferUpdates& later) {
  for (const Entry& entry : std::vector<Entry>(later.entries_)) {
    const bool here = std::any_of(entries_.begin(), entries_.end(),
                                  [&](const Entry& known) { return known.update == entry.update; });
    if (!here) entries_.push_back(entry);
  }
}

const Tensor* BufferUpdates::find(const Buffer& buffer) const {
  const Entry* entry = last(buffer);
  return entry == nullptr || entry->update->committed ? nullptr : &entry->update->value;
}

void BufferUpdates::commit() const noexcept {
  for (const Entry& entry : entries_) {
    if (entry.update->committed) continue;
    entry.buffer->value_ = std::move(entry.update->value);
    entry.update->committed = true;
  }
}

void BufferUpdates::add(Buffer& buffer, Tensor value) {
  // What nobody has taken along yet is overtaken: a stream of many draws waits with one number.
  const Entry* entry = last(buffer);
  if (entry != nullptr && !entry->update->committed && entry->update.use_count() == 1) {
    entry->update->value = std::move(value);
    return;
  }
  entries_.push_back({&buffer, std::make_shared<Update>(Update{std::move(value)})});
}

Var use(const Buffer& buffer, std::source_location where) {
  Tape* tape = Tape::current();
  if (tape == nullptr) return buffer.value();
  if (detail::t_state.recording_off > 0) return tape->value_of(buffer);
  return tape->use(buffer, where);
}

void update(Buffer& buffer, const Var& value, std::source_location where) {
  const detail::CallSite site(where);
  Tape* tape = Tape::current();
  if (tape == nullptr) {
    throw Error(ErrorKind::kGraph, "update",
                "no tape is live on which the update of '" + buffer.name() + "' could wait",
                "open a Tape and commit it, or write at once with Buffer::set");
  }
  const DType dtype = buffer.value().dtype();
  const bool number = value.has_value() && value.get()->has(detail::Value::kWeak);
  const Var next = number ? Var(detail::number_in(value, dtype)) : value;
  if (next.dtype(where) != dtype || !(next.shape(where) == buffer.value().shape())) {
    refuse(buffer, to_string(next.dtype(), next.shape()));
  }
  Tensor copy = next.value(where).clone();
  if (detail::t_state.recording_off == 0) {
    (void)apply(update_op, {&next}, UpdateAttributes{buffer.name()}, where);
  }
  tape->add_update(buffer, std::move(copy));
}

void commit(const Tape& tape) { tape.updates().commit(); }

}  // namespace wengert
