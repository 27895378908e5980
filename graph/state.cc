#include <algorithm>

#include "wengert/graph/call_site.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/tape_memory.h"
#include "wengert/graph/thread_state.h"

// Parameters and buffers on the tape: the leaves that stand for them, their names, the updates
// that wait.
namespace wengert {

using detail::kNoNode;
using detail::Node;
using detail::Value;

namespace {

/// Whether a leaf still is what `value` is now.
bool stands_for(const Value* leaf, const Tensor& value) {
  return !leaf->has(Value::kReleased) && leaf->storage == value.storage() &&
         leaf->data == value.data() && leaf->version == value.version();
}

std::string place(std::source_location where) {
  return std::string(base_name(where.file_name())) + ":" + std::to_string(where.line());
}

}  // namespace

Var Tape::use(Parameter& parameter, std::source_location where) {
  std::uint32_t& known = memory_->known(parameter, serial_).leaf;
  const Tensor& value = parameter.value();
  const bool trained = parameter.trainable() && is_floating(value.dtype());
  if (known != kNoNode) {
    // After an optimizer step on a live tape, or under another value or mode, the leaf stands for
    // what was; make a new one.
    Value* leaf = node(known).value;
    if (stands_for(leaf, value) && leaf->has(Value::kRequiresGrad) == trained) {
      return Var::share(leaf);
    }
  }
  Var leaf(value);
  if (trained) leaf.get()->flags |= Value::kRequiresGrad;
  Value* outputs[] = {leaf.get()};
  const std::uint32_t id = append(detail::parameter_op, {}, nullptr, outputs, {0, 1}, where);
  node(id).attributes = &parameter;  // what the leaf stands for; its record has no attributes
  known = id;
  return leaf;
}

const Parameter* Tape::parameter(std::uint32_t id) const {
  const Node& leaf = node(id);
  return leaf.op == &detail::parameter_op ? static_cast<const Parameter*>(leaf.attributes)
                                          : nullptr;
}

std::vector<Parameter*> Tape::parameters() const {
  std::vector<std::pair<std::uint32_t, const Parameter*>> known;
  for (const auto& [parameter, about] : memory_->parameters) {
    if (about.serial == serial_ && about.leaf != kNoNode) known.push_back({about.leaf, parameter});
  }
  std::sort(known.begin(), known.end());
  std::vector<Parameter*> result;
  for (const auto& [id, parameter] : known) result.push_back(const_cast<Parameter*>(parameter));
  return result;
}

void Tape::check_sharing(const Parameter& parameter, std::source_location where) {
  std::source_location& first = memory_->known(parameter, serial_).declared;
  if (first.line() == 0) {
    first = where;
    return;
  }
  if (detail::t_state.sharing ||
      (first.line() == where.line() && std::string_view(first.file_name()) == where.file_name())) {
    return;
  }
  const std::string& name = parameter.name();
  const std::string layer = name.substr(0, name.rfind('/'));
  throw Error(ErrorKind::kParameter, "ParameterSet",
              "parameter '" + name + "' is used at " + place(first) + " and at " + place(where),
              "give one of them another name, or share on purpose: shared(\"" +
                  layer.substr(layer.rfind('/') + 1) + "\")",
              where);
}

Var Tape::use(const Buffer& buffer, std::source_location where) {
  const auto [known, fresh] = memory_->leaf_of_buffer.try_emplace(&buffer, kNoNode);
  const Tensor& value = value_of(buffer);
  if (known->second != kNoNode && stands_for(node(known->second).value, value)) {
    return Var::share(node(known->second).value);
  }
  Var leaf(value);
  Value* outputs[] = {leaf.get()};
  const std::uint32_t id = append(detail::buffer_op, {}, nullptr, outputs, {0, 1}, where);
  node(id).attributes = const_cast<Buffer*>(&buffer);
  known->second = id;
  return leaf;
}

const Buffer* Tape::buffer(std::uint32_t id) const {
  const Node& leaf = node(id);
  return leaf.op == &detail::buffer_op ? static_cast<const Buffer*>(leaf.attributes) : nullptr;
}

const BufferUpdates& Tape::updates() const { return memory_->updates; }

void Tape::start_after(const BufferUpdates& updates) { memory_->before.append(updates); }

void Tape::take_updates(const BufferUpdates& updates) { memory_->updates.append(updates); }

const Tensor& Tape::value_of(const Buffer& buffer) const {
  for (const Tape* tape = this; tape != nullptr; tape = tape->outer_) {
    for (const BufferUpdates* updates : {&tape->memory_->updates, &tape->memory_->before}) {
      if (const Tensor* waiting = updates->find(buffer)) return *waiting;
    }
  }
  return buffer.value();
}

void Tape::add_update(Buffer& buffer, Tensor value) {
  memory_->updates.add(buffer, std::move(value));
}

std::string_view Tape::name(std::uint32_t id) const {
  if (const Parameter* known = parameter(id)) return known->name();
  if (const Buffer* known = buffer(id)) return known->name();
  const auto it = memory_->names.find(id);
  return it == memory_->names.end() ? std::string_view() : it->second;
}

std::uint32_t Tape::find(std::string_view name) const {
  if (const auto it = memory_->named.find(name); it != memory_->named.end()) return it->second;
  for (const auto& [known, on_tape] : memory_->parameters) {
    if (on_tape.serial != serial_ || on_tape.leaf == kNoNode) continue;  // it may be gone
    if (known->name() == name) return on_tape.leaf;
  }
  for (const auto& [known, id] : memory_->leaf_of_buffer) {
    if (id != kNoNode && known->name() == name) return id;
  }
  return kNoNode;
}

Var::Var(Parameter& parameter, std::source_location where) : Var(use(parameter, where)) {}

}  // namespace wengert
