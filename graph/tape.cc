#include "wengert/graph/tape.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "wengert/graph/call_site.h"
#include "wengert/graph/numbers.h"
#include "wengert/graph/operands.h"
#include "wengert/graph/tape_memory.h"
#include "wengert/graph/thread_state.h"
#include "wengert/graph/value_pool.h"

namespace wengert {
namespace {

using detail::kNoNode;
using detail::Node;
using detail::t_state;
using detail::Value;

std::uint32_t next_serial() {
  static std::atomic<std::uint32_t> counter{0};
  std::uint32_t serial = counter.fetch_add(1, std::memory_order_relaxed) + 1;
  // 0 means "never recorded"; after 2³² tapes numbers come again, long after any Var of them.
  return serial != 0 ? serial : next_serial();
}

/// The live tape of this thread that recorded the value, or null.
const Tape* live_tape_of(const Value* value) {
  const Tape* tape = t_state.tape;
  while (tape != nullptr && tape->serial() != value->serial) tape = tape->enclosing();
  return tape;
}

/// "mul f64[3] at model.cc:42"
std::string recorded_as(const Tape& tape, std::uint32_t id) {
  const Node& node = tape.node(id);
  std::string text(node.op->name);
  if (!tape.name(id).empty()) text += " '" + std::string(tape.name(id)) + "'";
  text += " " + to_string(tape.dtype(id), tape.shape(id));
  if (node.scope != 0) text += " in scope " + tape.scope(id);
  return text + " at " + std::string(base_name(node.where.file_name())) + ":" +
         std::to_string(node.where.line());
}

constexpr const char* kHandOver =
    "hand Tensors from thread to thread: x.value() there, variable(tensor) or the tensor itself "
    "here";

}  // namespace

Tape::Tape() { open(t_state.tape != nullptr ? t_state.mode : Mode::kTraining); }

Tape::Tape(Mode mode, std::source_location where) {
  if (t_state.tape != nullptr && t_state.mode != mode) {
    const std::string outer(name_of(t_state.mode));
    throw Error(ErrorKind::kGraph, "Tape",
                "a tape for " + std::string(name_of(mode)) + " under one for " + outer,
                "the outermost tape fixes the mode: end it first, or open Tape tape; which takes "
                "it on",
                where);
  }
  open(mode);
}

void Tape::open(Mode mode) {
  serial_ = next_serial();
  outer_ = t_state.tape;
  detail::ThreadMemory& own = detail::thread_memory();
  thread_ = own.serial;
  memory_ = own.spare_tape_memory != nullptr ? std::exchange(own.spare_tape_memory, nullptr)
                                             : new detail::TapeMemory;
  chunks_ = memory_->chunks.data();
  saved_recording_off_ = std::exchange(t_state.recording_off, 0);
  mode_ = t_state.mode = mode;
  t_state.tape = this;
}

TapeObserver::~TapeObserver() {
  if (tape_ != nullptr) tape_->observe(nullptr);
}

void Tape::observe(TapeObserver* observer) {
  if (observer_ != nullptr) observer_->tape_ = nullptr;
  if (observer != nullptr) {
    if (observer->tape_ != nullptr) observer->tape_->observe(nullptr);
    observer->tape_ = this;
  }
  observer_ = observer;
  watched_ = detect_non_finite_ || observer_ != nullptr;
}

Tape::~Tape() {
  observe(nullptr);
  // Consumers first: a node drops what it saved while the producers' headers are still held.
  for (std::uint32_t id = size_; id-- > 0;) {
    if (node(id).saved != 0) release_saved(id);
    detail::drop(node(id).value, Value::kHeader);
  }
  for (const auto& [original, alias] : memory_->alias_of) {
    detail::drop(const_cast<Value*>(original), Value::kHeader);
  }
  if (size_ > 1u << 18) detail::trim_values();
  memory_->clear();
  detail::ThreadMemory& ending = *t_state.memory;  // of the thread that ends the tape
  if (detail::has_thread_memory() && ending.spare_tape_memory == nullptr) {
    ending.spare_tape_memory = memory_;
  } else {
    delete memory_;
  }
  if (ending.serial == thread_) {
    leave(t_state);
  } else {
    detail::visit_thread(
        thread_,
        [](detail::ThreadState& state, void* tape) { static_cast<Tape*>(tape)->leave(state); },
        this);
  }
}

void Tape::leave(detail::ThreadState& state) {
  if (state.tape == this) {
    state.tape = outer_;
    state.recording_off = saved_recording_off_;
    return;
  }
  // An inner tape lives on and will restore what was before us.
  for (Tape* inner = state.tape; inner != nullptr; inner = inner->outer_) {
    if (inner->outer_ != this) continue;
    inner->outer_ = outer_;
    inner->saved_recording_off_ = saved_recording_off_;
  }
}

Tape* Tape::current() { return t_state.tape; }

void Tape::reserve(std::uint32_t nodes) {
  if (nodes > kNoNode - kChunkNodes - size_) {
    throw Error(ErrorKind::kGraph, "Tape", "the tape holds 2^32 nodes, its limit",
                "end the tape and carry values on with value()");
  }
  const std::size_t last = (std::size_t{size_} + nodes - 1) >> kChunkBits;
  while (last >= memory_->chunks.size()) memory_->add_chunk();
  chunks_ = memory_->chunks.data();
}

void Tape::enter_next_chunk() {
  reserve(1);
  cursor_ = chunks_[size_ >> kChunkBits];
  cursor_end_ = cursor_ + kChunkNodes;
}

void* Tape::keep(const OpDef& op, const void* attributes) {
  void* kept = memory_->allocate(op.attributes->size);
  std::memcpy(kept, attributes, op.attributes->size);
  op.attributes->relocate(kept, *memory_);
  return kept;
}

std::uint32_t Tape::append(const OpDef& op, std::span<Value* const> inputs, const void* attributes,
                           std::span<Value* const> outputs, detail::Saves saves,
                           std::source_location where) {
  void* kept = nullptr;
  if (op.attributes != nullptr && attributes != nullptr) {
    kept = keep(op, attributes);
  }
  std::uint32_t* many = nullptr;
  if (inputs.size() > 4) {  // the word before the list says what of it is saved
    many = static_cast<std::uint32_t*>(
               memory_->allocate((inputs.size() + 1) * sizeof(std::uint32_t))) +
           1;
    many[-1] = saves.inputs;
  }
  // All of an op's nodes or none.
  if (cursor_end_ - cursor_ < static_cast<std::ptrdiff_t>(outputs.size())) {
    reserve(static_cast<std::uint32_t>(outputs.size()));
  }
  const std::uint32_t first = size_;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    Node& node = next_node();
    node.op = &op;
    node.where = where;
    node.attributes = kept;
    node.value = outputs[k];
    node.scope = t_state.scope;
    node.saved = 0;
    node.output = static_cast<std::uint16_t>(k);
    node.input_count = k == 0 ? static_cast<std::uint16_t>(inputs.size()) : 0;
    if (k == 0) {
      std::uint32_t* ids = inputs.size() <= 4 ? node.few_inputs : (node.many_inputs = many);
      for (std::size_t i = 0; i < inputs.size(); ++i) ids[i] = inputs[i]->id;
      if (many != nullptr) {
        node.saved = saves.inputs != 0 ? detail::kSavedManyInputs : 0;
      } else {
        node.saved = saves.inputs & ((1u << inputs.size()) - 1);
      }
    }
    detail::hold(outputs[k], Value::kHeader);
    if (detail::in_set(saves.outputs, static_cast<int>(k))) {
      node.saved = node.saved | detail::kSavedOutput;
      detail::hold(outputs[k], Value::kData);
    }
    outputs[k]->id = commit();
    outputs[k]->serial = serial_;
  }
  if (inputs.empty() && !outputs.empty() && outputs[0]->has(Value::kRequiresGrad)) {
    ++trained_leaves_;
  }
  for (std::size_t i = 0; saves.inputs != 0 && i < inputs.size(); ++i) {
    if (detail::in_set(saves.inputs, static_cast<int>(i))) detail::hold(inputs[i], Value::kData);
  }
  return first;
}

void Tape::release_saved(std::uint32_t id) {
  Node& released = node(id);
  if (const std::uint32_t held = released.saved_inputs(); held != 0) {
    const std::uint32_t* ids = released.inputs();
    for (int i = 0; i < released.input_count; ++i) {
      if (detail::in_set(held, i)) detail::drop(node(ids[i]).value, Value::kData);
    }
  }
  for (std::uint32_t k = id; k < size_ && (k == id || node(k).output > 0); ++k) {
    if ((node(k).saved & detail::kSavedOutput) != 0) detail::drop(node(k).value, Value::kData);
    node(k).saved = 0;
  }
}

Value* Tape::number(const Value* number, DType dtype, const OpDef& consumer,
                    std::source_location where) {
  std::uint64_t bits;
  std::memcpy(&bits, number->scalar, sizeof bits);
  detail::TapeMemory::Number& known = memory_->place_of(bits, dtype);
  const detail::TapeMemory::Number wanted = {bits, serial_, 0, number->dtype, dtype};
  if (known == wanted) return node(known.id).value;
  Var constant = detail::number_as(*number, dtype, consumer, where);
  Value* outputs[] = {constant.get()};
  const std::uint32_t id = append(detail::constant_op, {}, nullptr, outputs, {0, 1}, where);
  known = {bits, serial_, id, number->dtype, dtype};
  return constant.get();
}

void Tape::take_back(std::uint32_t first) noexcept {
  if (observer_ != nullptr || first >= size_) return;
  memory_->forget_from(first);
  for (std::uint32_t id = size_; id-- > first;) {
    release_saved(id);
    Value* value = node(id).value;
    if (node(id).input_count == 0 && node(id).output == 0 && value->has(Value::kRequiresGrad)) {
      --trained_leaves_;
    }
    value->serial = 0;
    value->id = 0;
    detail::drop(value, Value::kHeader);
  }
  size_ = first;
  // A full chunk's end is where the next one is entered.
  const std::uint32_t before = first == 0 ? 0 : first - 1;
  cursor_ = chunks_[before >> kChunkBits] + (before & (kChunkNodes - 1)) + (first == 0 ? 0 : 1);
  cursor_end_ = chunks_[before >> kChunkBits] + kChunkNodes;
  if (first_non_finite_ != kNoNode && first_non_finite_ >= first) first_non_finite_ = kNoNode;
}

void Tape::check_adoptable(const Value* value, const OpDef& consumer, std::source_location where,
                           int input) const {
  const auto said = [&] {
    return (input < 0 ? "an input, " : "input " + std::to_string(input) + ", ") +
           to_string(value->dtype, {value->sizes(), value->rank});
  };
  // Its number on the tape stands in the value itself: two tapes at once would mix their gradients.
  if (detail::is_of_another_thread(value)) {
    throw Error({.kind = ErrorKind::kGraph,
                 .op = std::string(consumer.name),
                 .message = said() + ", was made by another thread",
                 .scope = Scope::path(),
                 .file = where.file_name(),
                 .line = where.line(),
                 .fix = kHandOver});
  }
  if (value->has(Value::kRequiresGrad) && !value->has(Value::kLeaf)) {
    const Tape* recorded = live_tape_of(value);
    std::string message = "the tape of " + said() + ", has ended";
    if (recorded != nullptr) {
      message = (input < 0 ? "an input" : "input " + std::to_string(input)) +
                " was recorded on an enclosing tape, not on this one: " +
                recorded_as(*recorded, value->id);
    }
    throw Error({.kind = ErrorKind::kGraph,
                 .op = std::string(consumer.name),
                 .message = std::move(message),
                 .scope = Scope::path(),
                 .file = where.file_name(),
                 .line = where.line(),
                 .fix = "pass x.value() to carry the value on, which cuts the gradient",
                 .users_line = true});
  }
}

Value* Tape::absent(std::source_location where) {
  if (memory_->absent == kNoNode) {
    const Var made = detail::absent_operand();  // of this tape alone
    Value* outputs[] = {made.get()};
    memory_->absent = append(detail::absent_op, {}, nullptr, outputs, {0, 1}, where);
  }
  return node(memory_->absent).value;
}

Value* Tape::adopt(Value* value, const OpDef& consumer, std::source_location where) {
  if (value->is_absent()) return absent(where);
  check_adoptable(value, consumer, where);
  for (const Tape* tape = outer_; tape != nullptr; tape = tape->outer_) {
    if (tape->serial_ != value->serial) continue;
    // The enclosing tape knows this leaf by its number there; here it gets a header of its own.
    if (const auto it = memory_->alias_of.find(value); it != memory_->alias_of.end()) {
      return node(it->second).value;
    }
    Var alias = Var(Var::share(value).value());
    alias.get()->flags |= value->flags & Value::kRequiresGrad;
    const auto entry = memory_->alias_of.emplace(value, size_).first;
    try {
      adopt(alias.get(), consumer, where);
    } catch (...) {
      memory_->alias_of.erase(entry);
      throw;
    }
    detail::hold(value, Value::kHeader);      // no other value may take its address meanwhile
    detail::hold(alias.get(), Value::kData);  // held by the tape: nobody else may
    node(alias.get()->id).saved = detail::kSavedOutput;
    return alias.get();
  }
  const OpDef& leaf = value->has(Value::kRequiresGrad) ? detail::variable_op : detail::constant_op;
  Value* outputs[] = {value};
  // Written before this tape met it: that is no overwriting of what the tape saved.
  if (!value->has(Value::kInline) && value->storage != nullptr) {
    value->version = value->storage->version.load(std::memory_order_acquire);
  }
  append(leaf, {}, nullptr, outputs, {}, where);
  return value;
}

Var Tape::var(std::uint32_t id, std::source_location where) const {
  const detail::CallSite site(where);
  if (id >= size_) {
    throw Error(ErrorKind::kGraph, "Tape::var",
                "node " + std::to_string(id) + " of " + std::to_string(size_));
  }
  if (!has_value(id)) {
    throw Error(ErrorKind::kGraph, "Tape::var", "the value of " + describe(id) + " was given back",
                "keep a Var of it, or pass {.retain = true} to backward");
  }
  return Var::share(node(id).value);
}

bool Tape::has_value(std::uint32_t id) const { return !node(id).value->has(Value::kReleased); }

std::span<const std::uint32_t> Tape::inputs(std::uint32_t id) const {
  return {node(id).inputs(), node(id).input_count};
}

Shape Tape::shape(std::uint32_t id) const {
  const Value* value = node(id).value;
  return Shape(std::span<const std::int64_t>(value->sizes(), value->rank));
}

std::string Tape::scope(std::uint32_t id) const {
  return thread_ == t_state.memory->serial ? detail::scope_path(node(id).scope) : std::string();
}

void Tape::name(const Var& var, std::string_view name, std::source_location where) {
  if (name.empty()) throw Error(ErrorKind::kValue, "Tape::name", "the name is empty", "", where);
  if (thread_ != t_state.memory->serial) {
    throw Error(ErrorKind::kGraph, "Tape::name", "the tape is another thread's",
                "name values on the thread that records them", where);
  }
  const std::uint32_t taken = find(name);
  if (taken != kNoNode && !(knows(var) && id_of(var, "Tape::name", where) == taken)) {
    throw Error(ErrorKind::kValue, "Tape::name",
                "the name '" + std::string(name) + "' is that of " + describe(taken),
                "names are looked up: give each value its own, numbered in a loop", where);
  }
  if (taken != kNoNode) return;
  if (var.has_value() && !knows(var) && var.get()->has(Value::kLeaf)) {  // no op has used it yet
    adopt(var.get(), detail::variable_op, where);
  }
  const std::uint32_t id = id_of(var, "Tape::name", where);
  std::string own(name);  // what can fail comes first
  const auto place = memory_->named.try_emplace(own, id).first;
  try {
    std::string& known = memory_->names[id];
    if (!known.empty()) memory_->named.erase(known);
    known = std::move(own);
  } catch (...) {
    memory_->named.erase(place);
    throw;
  }
}

bool Tape::knows(const Var& var) const {
  return owns(var) || memory_->alias_of.contains(var.get());
}

Var Tape::leaf(std::uint32_t id) const {
  for (const auto& [original, alias] : memory_->alias_of) {
    if (alias == id) return Var::share(const_cast<Value*>(original));
  }
  return Var::share(node(id).value);
}

std::uint32_t Tape::id_of(const Var& var, std::string_view asking,
                          std::source_location where) const {
  const Value* value = var.get();
  if (value != nullptr && value->serial == serial_) return value->id;
  if (value != nullptr) {
    const auto it = memory_->alias_of.find(value);
    if (it != memory_->alias_of.end()) return it->second;
  }
  std::string message = "this Var is empty";
  std::string fix = "assign the result of an op to it first";
  if (value != nullptr && detail::is_of_another_thread(value)) {
    message = "this Var belongs to another thread's tape";
    fix = std::string("ask on the thread that recorded it; ") + kHandOver;
  } else if (value != nullptr && value->serial == 0) {
    message = "this Var was not recorded on the tape";
    fix =
        "compute it while the tape is live and outside NoGrad, from variables or parameters; a "
        "derivative is recorded with {.create_graph = true}";
  } else if (value != nullptr) {
    const Tape* recorded = live_tape_of(value);
    message = recorded == nullptr ? "this Var's tape has ended"
                                  : "this Var was recorded on another tape, not on this one: " +
                                        recorded_as(*recorded, value->id);
    fix = "ask while its own tape is the innermost live one";
  }
  throw Error({.kind = ErrorKind::kGraph,
               .op = std::string(asking),
               .message = std::move(message),
               .scope = Scope::path(),
               .file = where.file_name(),
               .line = where.line(),
               .fix = std::move(fix)});
}

Tape::Statistics Tape::statistics() const {
  Statistics result;
  result.nodes = size_;
  result.bytes = memory_->chunks.size() * (std::size_t{kChunkNodes} * sizeof(Node)) +
                 memory_->blocks.size() * detail::TapeMemory::kBlockBytes;
  for (std::uint32_t id = 0; id < size_; ++id) {
    const Value* value = node(id).value;
    result.bytes += value->block * 16u;
    if (value->has(Value::kReleased)) continue;
    ++result.live_values;
    if (!value->has(Value::kInline) && value->strides() == nullptr) {
      result.bytes += static_cast<std::uint64_t>(value->count()) * size_of(value->dtype);
    }
  }
  return result;
}

void Tape::own(std::shared_ptr<const void> object) { memory_->owned.push_back(std::move(object)); }

std::size_t Tape::begin_derivative(std::uint32_t id) {
  memory_->derivatives.push_back({size_, kNoNode, id});
  return memory_->derivatives.size() - 1;
}

void Tape::end_derivative(std::size_t number) {
  auto& derivatives = memory_->derivatives;
  derivatives[number].end = size_;
  // What recorded nothing leaves no trace.
  if (number + 1 == derivatives.size() && derivatives[number].first == size_) {
    derivatives.pop_back();
  }
}

std::uint32_t Tape::derivative_of(std::uint32_t id) const {
  const auto& all = memory_->derivatives;
  auto after =
      std::upper_bound(all.begin(), all.end(), id,
                       [](std::uint32_t node, const auto& run) { return node < run.first; });
  while (after != all.begin()) {
    --after;
    if (id < after->end) return after->of;
  }
  return kNoNode;
}

Mode current_mode() { return t_state.tape != nullptr ? t_state.mode : Mode::kInference; }

NoGrad::NoGrad() { ++t_state.recording_off; }
NoGrad::~NoGrad() { --t_state.recording_off; }

}  // namespace wengert
