#include "wengert/autodiff/engine.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "wengert/autodiff/hooks.h"
#include "wengert/autodiff/rules.h"
#include "wengert/graph/call_site.h"
#include "wengert/graph/thread_state.h"
#include "wengert/graph/value_pool.h"
#include "wengert/ops/ops.h"

namespace wengert {

using detail::Node;
using detail::t_state;
using detail::Value;

namespace {

constexpr std::int64_t kQuickElements = 4096;  // above, the general drivers' cost is no matter

/// Cotangents by node, kept for the next pass: entries are null between passes. A pass inside
/// another (a hook that differentiates) gets a table of its own.
struct Tables {
  std::vector<std::vector<Value*>*> spare;
  std::size_t made = 0;  ///< `spare` has room for so many: giving one back cannot fail
  ~Tables() {
    for (auto* table : spare) delete table;
  }
};

Tables& tables() { return detail::kept_by_thread<Tables, detail::Kept::kCotangentTables>(); }

std::vector<Value*>& take_table(std::uint32_t nodes) {
  auto& [spare, made] = tables();
  if (spare.empty()) {
    spare.reserve(made + 1);
    spare.push_back(new std::vector<Value*>);
    ++made;
  }
  std::vector<Value*>* table = spare.back();
  if (table->size() < nodes) table->resize(nodes, nullptr);
  spare.pop_back();
  return *table;
}

/// Whether elements follow each other without gaps, in whatever order of axes.
bool packed(const Value* value) {
  return !value->has(Value::kStrided) || value->has(Value::kPermuted);
}

bool same_sizes(const Value* a, const Value* b) {
  if (a->rank != b->rank) return false;
  for (int d = 0; d < a->rank; ++d) {
    if (a->sizes()[d] != b->sizes()[d]) return false;
  }
  return true;
}

/// A number takes the dtype of the value that it is a gradient of.
Var settled(Var gradient, DType dtype) {
  if (!gradient.has_value() || !gradient.get()->has(Value::kWeak)) return gradient;
  return detail::number_in(gradient, dtype);
}

/// Fails on options that cannot be kept; before anything is taken that would have to go back.
const BackwardOptions& checked(const BackwardOptions& options, std::source_location where) {
  if (!options.create_graph || detail::t_state.recording_off == 0) return options;
  throw Error({.kind = ErrorKind::kGraph,
               .op = "grad",
               .message = "create_graph records the derivative, but a NoGrad is open",
               .scope = Scope::path(),
               .file = where.file_name(),
               .line = where.line(),
               .fix = "differentiate before the NoGrad begins, or without create_graph",
               .users_line = true});
}

}  // namespace

Engine::Engine(Tape& tape, const BackwardOptions& options, std::source_location where)
    : tape_(tape),
      options_(checked(options, where)),
      where_(where),
      table_(take_table(tape.size())) {
  if (options_.create_graph) options_.retain = true;
}

Engine::~Engine() {
  for (std::uint32_t id = 0; id <= top_ && id < table_.size(); ++id) {
    if (table_[id] != nullptr) detail::drop(std::exchange(table_[id], nullptr));
  }
  constexpr std::size_t kKept = std::size_t{1} << 20;
  if (table_.capacity() > kKept) {
    delete &table_;
    --tables().made;
  } else {
    tables().spare.push_back(&table_);
  }
}

void Engine::fail(ErrorKind kind, std::string message, std::string fix, std::string op) const {
  throw Error({.kind = kind,
               .op = op.empty() ? "backward" : std::move(op),
               .message = std::move(message),
               .scope = Scope::path(),
               .file = where_.file_name(),
               .line = where_.line(),
               .fix = std::move(fix),
               .users_line = true});
}

std::uint32_t Engine::root(const Var& y, const char* caller, bool constants) const {
  if (!y.has_value())
    fail(ErrorKind::kGraph, "the value to differentiate is an empty Var", "", caller);
  if (!is_floating(y.dtype())) {
    fail(ErrorKind::kDType, "cannot differentiate " + to_string(y.dtype(), y.shape()),
         "only float32 and float64 values have gradients", caller);
  }
  const std::uint32_t id = tape_.id_of(y, caller, where_);
  if (!y.requires_grad()) {
    if (constants && y.get()->has(Value::kDerivative)) return detail::kNoNode;
    fail(ErrorKind::kGraph,
         to_string(y.dtype(), y.shape()) + " depends on no variable or parameter",
         "make an input with variable(…), or look for stop_gradient, value() and NoGrad on the way",
         caller);
  }
  return id;
}

Var Engine::fitting(const Var& given, const Var& value, const char* what, const char* caller,
                    const char* fix) const {
  Var fitted = settled(given, value.dtype());
  if (!fitted.has_value()) {
    if (value.element_count() != 1) {
      fail(ErrorKind::kShape, "needs a scalar, got " + to_string(value.dtype(), value.shape()), fix,
           caller);
    }
    return Tensor::full(value.shape(), 1.0, value.dtype());
  }
  if (fitted.dtype() != value.dtype() || !(fitted.shape() == value.shape())) {
    fail(fitted.dtype() != value.dtype() ? ErrorKind::kDType : ErrorKind::kShape,
         std::string("the ") + what + " is " + to_string(fitted.dtype(), fitted.shape()) +
             " for a value " + to_string(value.dtype(), value.shape()),
         "", caller);
  }
  return fitted;
}

void Engine::seed(const Var& y, const Var& cotangent, const char* caller, bool constants) {
  const std::uint32_t id = root(y, caller, constants);
  if (id == detail::kNoNode) return;
  place(id, recorded(fitting(cotangent, y, "cotangent", caller,
                             "reduce it with sum or mean, or call grad(ys, xs, cotangents)")));
}

Var Engine::recorded(Var derivative) {
  const bool mere = derivative.get()->has(Value::kLeaf) || derivative.get()->serial == 0;
  if (!options_.create_graph) return derivative;
  if (!tape_.knows(derivative) && mere) {
    derivative = Var::share(tape_.adopt(derivative.get(), detail::constant_op, where_));
  }
  derivative.get()->flags |= Value::kDerivative;
  return derivative;
}

void Engine::restrict_to(std::span<const std::uint32_t> xs) {
  // Towards all leaves there is nothing to leave out.
  std::vector<std::uint32_t> leaves(xs.begin(), xs.end());
  std::sort(leaves.begin(), leaves.end());
  leaves.erase(std::unique(leaves.begin(), leaves.end()), leaves.end());
  const bool only_leaves = std::all_of(leaves.begin(), leaves.end(), [&](std::uint32_t x) {
    return tape_.node(x).input_count == 0 && tape_.node(x).output == 0;
  });
  if (only_leaves && leaves.size() == tape_.trained_leaves()) return;
  restricted_ = true;
  marks_.assign(static_cast<std::size_t>(top_) + 1, 0);
  std::uint32_t first = top_;
  for (std::uint32_t x : xs) {
    if (x <= top_) marks_[x] = kWanted | kTarget;
    first = std::min(first, x);
  }
  for (std::uint32_t id = first; id <= top_; ++id) {
    if (marks_[id] != 0) continue;
    // A later output of an op depends on what its first output depends on.
    const Node& node = tape_.node(id - tape_.node(id).output);
    const std::uint32_t* inputs = node.inputs();
    for (int i = 0; i < node.input_count; ++i) {
      if (marks_[inputs[i]] != 0 && node.op->is_differentiable(i)) {
        marks_[id] = kWanted;
        break;
      }
    }
  }
}

template <int kInputs>
bool Engine::run_elementwise(std::uint32_t id, Node& node, Value* g) {
  const ElementwiseOp& op = *node.op->elementwise;
  if (!packed(g)) return false;
  Value* in[kInputs];
  Value* const y = node.value;
  bool wanted[kInputs];
  std::uint32_t reads = 0;
  for (int i = 0; i < kInputs; ++i) {
    const std::uint32_t input = node.few_inputs[i];
    in[i] = tape_.node(input).value;
    if (!same_sizes(g, in[i]) || !detail::same_places(g, in[i])) return false;  // and so is y
    wanted[i] = needs_input(*node.op, i, input, in[i]);
    if (wanted[i]) reads |= node.op->reads[i];
  }
  const std::int64_t count = g->count();
  if (count > kQuickElements) return false;
  // Everything that is read must have been kept and not been written since.
  std::uint8_t read_bits = reads & 3;
  if ((reads & kReadsOutputs) != 0) read_bits |= detail::kSavedOutput;
  if ((node.saved & read_bits) != read_bits) return false;
  const void* data[2] = {};
  for (int i = 0; i < kInputs; ++i) {
    data[i] = in[i]->data;
    if ((read_bits >> i & 1) != 0 && !is_unwritten(in[i])) return false;
  }
  if ((reads & kReadsOutputs) != 0 && !is_unwritten(y)) return false;

  const bool keep = restricted_ && (marks_[id] & kTarget) != 0;
  bool mine = !keep && detail::is_sole_owner(g);  // g's memory may serve the result
  // The table's handle on g is ours to pass on, and given back at the end where nobody took it.
  struct Handle {
    Value* left;
    ~Handle() {
      if (left != nullptr) detail::drop(left);
    }
  } handle{keep ? nullptr : g};
  if (!keep) table_[id] = nullptr;
  const int dtype = static_cast<int>(g->dtype);
  for (int i = 0; i < kInputs; ++i) {
    if (!wanted[i]) continue;
    const bool last = i + 1 == kInputs || !wanted[kInputs - 1];
    Value*& slot = table_[node.few_inputs[i]];
    const bool add_to_slot =
        slot != nullptr && detail::is_sole_owner(slot) && detail::same_places(slot, g);
    if ((op.passes >> i & 1) != 0) {
      if (add_to_slot && kInputs > 1) {
        add_in_place(slot, g, count);
        continue;
      }
      if (last && handle.left != nullptr) {
        handle.left = nullptr;
      } else {
        detail::hold(g);
        mine = false;
      }
      if (slot == nullptr) {
        slot = g;
      } else {
        accumulate(node.few_inputs[i], g);
      }
      continue;
    }
    const auto kernel = op.kernels->backward[i][dtype];
    if (add_to_slot) {
      kernel(g->data, data, y->data, slot->data, count, node.attributes, true);
      continue;
    }
    Value* to = g;
    if (last && mine && handle.left != nullptr) {
      handle.left = nullptr;
    } else {
      to = g->has(Value::kStrided) ? detail::new_in_order_of(g, g->dtype) : detail::new_like(g);
    }
    kernel(g->data, data, y->data, to->data, count, node.attributes, false);
    if (slot == nullptr) {
      slot = to;
    } else {
      accumulate(node.few_inputs[i], to);
    }
  }
  if (node.saved != 0 && !options_.retain) give_back(node, in, kInputs);
  return true;
}

void Engine::sweep(std::uint32_t last) {
  try {
    sweep_nodes(last);
  } catch (const std::bad_alloc&) {
    tape_.mark_broken_backward();
    fail_below(ErrorKind::kMemory, "the system has no memory left for its gradients");
  } catch (const Error& error) {
    tape_.mark_broken_backward();
    if (error.op() != "shape") throw;
    fail_below(error.kind(), error.message());
  } catch (...) {
    tape_.mark_broken_backward();
    throw;
  }
}

void Engine::fail_below(ErrorKind kind, const std::string& message) const {
  const Node& node = tape_.node(at_);
  std::string inputs;
  for (int i = 0; i < node.input_count; ++i) {
    const std::uint32_t input = node.inputs()[i];
    inputs += (i == 0 ? "; inputs " : ", ") + to_string(tape_.dtype(input), tape_.shape(input));
  }
  throw Error({.kind = kind,
               .op = std::string(node.op->name),
               .message = message + inputs,
               .scope = detail::scope_path(node.scope),
               .file = node.where.file_name(),
               .line = node.where.line(),
               .fix = "use smaller batches, or free values that are held"});
}

void Engine::sweep_nodes(std::uint32_t last) {
  watched_ = options_.observer != nullptr || has_hooks(tape_);
  const bool quick = !options_.create_graph && !watched_;
  Value** const table = table_.data();  // as long as the tape was; nothing resizes it meanwhile
  std::uint32_t due = detail::kNoNode;  // first output of an op, of whose later ones one counts
  for (std::uint32_t id = top_ + 1; id-- > last;) {
    Value* g = table[id];
    if (g == nullptr && id != due) {
      if (watched_ && !rows_.empty()) observe_node(id);  // a leaf that got rows alone
      continue;
    }
    at_ = id;
    Node& node = tape_.node(id);
    if (quick && g != nullptr) {
      if (node.op->single_element != nullptr && is_one(g, g->rank)) {
        const std::uint32_t reached = sweep_one_elements(id, last);
        if (reached <= id) {
          id = reached;
          continue;
        }
      }
      if (node.op->elementwise != nullptr &&
          (node.input_count == 1 ? run_elementwise<1>(id, node, g)
                                 : node.input_count == 2 && run_elementwise<2>(id, node, g))) {
        continue;
      }
    }
    if (watched_ && g != nullptr) observe_node(id);
    if (node.input_count == 0 && node.output == 0) continue;  // a leaf: its cotangent stays
    if (node.output > 0) {  // waits for the op's first output, further down
      due = id - node.output;
      continue;
    }
    if (options_.create_graph || node.op->backward == nullptr) {
      run_recorded(id, node);
      finish_node(id);
    } else {
      run_fused(id, node);
    }
  }
}

void Engine::finish_node(std::uint32_t id) {
  for (std::uint32_t k = id; k <= top_ && (k == id || tape_.node(k).output > 0); ++k) {
    if (table_[k] == nullptr || (restricted_ && (marks_[k] & kTarget) != 0)) continue;
    detail::drop(std::exchange(table_[k], nullptr));
  }
  if (!options_.retain) tape_.release_saved(id);
}

void Engine::fail_overwritten(std::uint32_t consumer, std::uint32_t id) const {
  const Value* value = tape_.node(id).value;
  const Node& reader = tape_.node(consumer);
  const detail::Storage* storage = value->storage;
  std::string what(tape_.name(id));
  what = what.empty() ? to_string(value->dtype, tape_.shape(id)) : "'" + what + "'";
  std::string writer = storage->writer != nullptr ? storage->writer : "a write guard";
  writer += " at " + std::string(base_name(storage->written_at.file_name())) + ":" +
            std::to_string(storage->written_at.line());
  throw Error(
      {.kind = ErrorKind::kGraph,
       .op = std::string(reader.op->name),
       .message = "the value " + what + " that it saved for backward was overwritten by " + writer,
       .scope = detail::scope_path(reader.scope),
       .file = reader.where.file_name(),
       .line = reader.where.line(),
       .fix = "differentiate before writing, or give the op a clone()",
       .users_line = true});
}

Value* Engine::saved_value(std::uint32_t consumer, std::uint32_t id, int input) const {
  if (!detail::in_set(tape_.node(consumer).saved_inputs(), input)) [[unlikely]]
    fail_unsaved(consumer, input);
  Value* value = tape_.node(id).value;
  if (!is_unwritten(value)) [[unlikely]]
    fail_overwritten(consumer, id);
  return value;
}

Value* Engine::saved_output(std::uint32_t id, int k) const {
  const std::uint32_t output = id + static_cast<std::uint32_t>(k);
  if (k < 0 || output >= tape_.size() || tape_.node(output).output != k) [[unlikely]] {
    fail(ErrorKind::kInternal,
         "the derivative reads output " + std::to_string(k) + ", which the op does not have", "",
         std::string(tape_.node(id).op->name));
  }
  const Node& node = tape_.node(output);
  if ((node.saved & detail::kSavedOutput) == 0) [[unlikely]]
    fail_unsaved(id, -1 - k);
  if (!is_unwritten(node.value)) [[unlikely]]
    fail_overwritten(id, output);
  return node.value;
}

void Engine::fail_unsaved(std::uint32_t consumer, int input) const {
  const Node& node = tape_.node(consumer);
  // What the record names was kept, and then given back; what it does not name never was.
  std::uint32_t reads = 0;
  for (int i = 0; i < node.input_count; ++i) {
    const Value* value = tape_.node(node.inputs()[i]).value;
    if (value->has(Value::kRequiresGrad) && node.op->is_differentiable(i)) {
      reads |= node.op->reads_for(i);
    }
  }
  const detail::Saves saves = detail::saves_of(reads);
  const bool named =
      input >= 0 ? detail::in_set(saves.inputs, input) : detail::in_set(saves.outputs, -1 - input);
  if (!named) {
    fail(ErrorKind::kInternal,
         "the derivative reads " + std::string(input < 0 ? "output " : "input ") +
             std::to_string(input < 0 ? -1 - input : input) +
             " that its record does not name in reads",
         "", std::string(node.op->name));
  }
  throw Error({.kind = ErrorKind::kGraph,
               .op = std::string(node.op->name),
               .message = tape_.has_broken_backward()
                              ? "its saved values were given back by an earlier backward that "
                                "ended in an error"
                              : "its saved values were given back by an earlier backward",
               .scope = detail::scope_path(node.scope),
               .file = node.where.file_name(),
               .line = node.where.line(),
               .fix = tape_.has_broken_backward()
                          ? "record the step again after the error"
                          : "pass {.retain = true} to the earlier backward or grad",
               .users_line = true});
}

void Engine::run_recorded(std::uint32_t id, Node& node) {
  if (node.op->vjp == nullptr) return;
  const DerivativeSite site(tape_, id, options_.create_graph);
  RecordedRule rule(*this, id);
  node.op->vjp(rule);
  rule.deliver();
}

Var Engine::fit(std::uint32_t id, Var contribution) {
  const Value* target = tape_.node(id).value;
  contribution = settled(std::move(contribution), target->dtype);
  const Value* given = contribution.get();
  if (given->dtype != target->dtype) {
    fail(ErrorKind::kInternal,
         "a gradient of dtype " + std::string(name_of(given->dtype)) + " for a value of " +
             std::string(name_of(target->dtype)),
         "");
  }
  if (same_sizes(given, target)) return contribution;
  const Shape shape = tape_.shape(id), from = contribution.shape();
  const int lead = from.size() - shape.size();
  Axes axes;
  bool fits = lead >= 0;
  for (int d = 0; fits && d < from.size(); ++d) {
    if (d < lead) {
      axes.push_back(d);
    } else if (shape[d - lead] != from[d]) {
      if (shape[d - lead] == 1) axes.push_back(d);
      // A scalar (or size-1) cotangent product may be smaller than the value it belongs to.
      fits = shape[d - lead] == 1;
    }
  }
  if (!fits) {
    if (from.size() <= shape.size()) return broadcast_to(contribution, shape);
    fail(ErrorKind::kInternal,
         "a gradient of shape " + from.str() + " for a value of shape " + shape.str(), "");
  }
  return reshape(sum(contribution, axes, true), shape);
}

void Engine::accumulate(std::uint32_t id, Value* contribution) {
  Value*& slot = table_[id];
  if (slot == nullptr) {
    slot = contribution;
    return;
  }
  Var given = Var::take(contribution);
  if (!options_.create_graph && packed(contribution)) {
    if (detail::is_sole_owner(slot) && detail::same_places(slot, contribution)) {
      // slot = slot + given, elementwise on memory of one shape and order.
      add_in_place(slot, contribution, slot->count());
      return;
    }
  }
  Var known = Var::take(std::exchange(slot, nullptr));
  if (options_.create_graph) {
    slot = add(known, given).release();
  } else {
    NoGrad off;
    slot = add(known, given).release();
  }
}

void Engine::observe_edge(std::uint32_t consumer, int input, const Gradient& contribution) {
  if (options_.observer != nullptr) {
    const detail::UserCode users;
    options_.observer->on_edge(tape_, consumer, input, contribution);
  }
}

void Engine::observe_node(std::uint32_t id) {
  LeafRows* rows = rows_.empty() ? nullptr : rows_of(id);
  if (rows != nullptr) settle_rows(*rows);
  Gradient cotangent;
  if (table_[id] != nullptr) {
    cotangent = Var::share(table_[id]);
  } else if (rows != nullptr) {
    cotangent = rows->sum;
  }
  if (!cotangent.has_value()) return;
  if (options_.observer != nullptr) {
    const detail::UserCode users;
    options_.observer->on_node(tape_, id, cotangent);
  }
  run_hooks(tape_, id, cotangent);
}

void Engine::place(std::uint32_t id, Var contribution) {
  if (!contribution.has_value()) return;
  top_ = std::max(top_, id);
  accumulate(id, contribution.release());
}

Var Engine::extract(std::uint32_t leaf) {
  if (leaf > top_) return {};
  return Var::take(std::exchange(table_[leaf], nullptr));
}

Var Engine::take(std::uint32_t id) {
  if (id > top_ || table_[id] == nullptr) return {};
  return Var::share(table_[id]);
}

Gradients Engine::collect() {
  Gradients result;
  std::vector<const Parameter*> seen;
  settle_rows();
  std::sort(rows_.begin(), rows_.end(),
            [](const LeafRows& a, const LeafRows& b) { return a.leaf < b.leaf; });
  auto few = rows_.begin();
  for (std::uint32_t id = 0; id <= top_; ++id) {
    const Node& node = tape_.node(id);
    Gradient gradient;
    if (few != rows_.end() && few->leaf == id) gradient = std::move(few++->sum);
    if (table_[id] == nullptr && !gradient.has_value()) continue;
    if (node.input_count > 0 || node.output > 0) continue;
    if (!node.value->has(Value::kRequiresGrad)) continue;
    if (!gradient.has_value()) gradient = Var::take(std::exchange(table_[id], nullptr));
    Parameter* parameter = const_cast<Parameter*>(tape_.parameter(id));
    if (parameter != nullptr) seen.push_back(parameter);
    result.entries_.push_back({tape_.leaf(id), parameter, std::move(gradient)});
  }
  std::sort(seen.begin(), seen.end());
  if (const auto twice = std::adjacent_find(seen.begin(), seen.end()); twice != seen.end()) {
    fail(ErrorKind::kGraph,
         "the value depends on parameter '" + (*twice)->name() +
             "' as it was before and after a write to it",
         "start a new tape after each optimizer step, or ask grad for each use(parameter)");
  }
  return result;
}

}  // namespace wengert
