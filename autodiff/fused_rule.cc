#include <algorithm>
#include <memory>
#include <vector>

#include "wengert/autodiff/engine.h"
#include "wengert/graph/op.h"
#include "wengert/graph/value_pool.h"
#include "wengert/ops/ops.h"

namespace wengert {

using detail::Node;
using detail::Value;
using detail::view_of;

namespace {

/// Elementwise loops walk any strides; other kernels are promised a dense cotangent.
bool wants_copy(const Value* cotangent, const OpDef& op) {
  return cotangent->has(Value::kStrided) && op.elementwise == nullptr;
}

Var dense_copy(Value* cotangent) {
  NoGrad off;
  return contiguous(Var::share(cotangent));
}

}  // namespace

/// A derivative computed on memory.
class FusedRule final : public BackwardContext {
 public:
  FusedRule(Engine& engine, std::uint32_t id, Node& node);
  ~FusedRule() override;
  TensorView output(int k) const override;
  /// Hands the gradients to the engine.
  void deliver();
  /// Gives back the cotangent and what the node saved; false where that is not all within reach.
  bool finish();

 private:
  void deliver_one(int i, Value*& place);
  /// What only unusual ops need.
  struct Further {
    std::vector<Value*> fresh;    ///< gradients of the inputs from kFew on
    Var cotangent;                ///< a copy of output 0's where that is strided
    std::vector<Var> cotangents;  ///< of the other outputs
  };
  Value* destination(int i, bool& accumulate) override;
  TensorView further_input(int i) const override;
  TensorView further_cotangent(int k) const override;
  bool further_needs(int i) const override;
  bool further_has(int i) const override {
    return i < input_count_ && !engine_.tape_.node(ids_[i]).value->is_absent();
  }
  void take_cotangents();
  Further& further() {
    if (further_ == nullptr) further_ = std::make_unique<Further>();
    return *further_;
  }
  /// Input i, which the op has: anything else is an error.
  void check_input(int i) const {
    if (static_cast<unsigned>(i) >= static_cast<unsigned>(input_count_)) [[unlikely]]
      fail_index("input", i);
  }
  [[noreturn]] void fail_index(const char* what, int i) const;
  Value*& fresh(int i) {
    return i < kFew ? fresh_[i] : further_->fresh[static_cast<std::size_t>(i - kFew)];
  }

  Engine& engine_;
  std::uint32_t id_;
  Node& node_;
  const std::uint32_t* ids_;  ///< of the inputs
  int few_count_;             ///< inputs among the first kFew
  bool usual_;                ///< one output and few inputs
  bool pending_ = true;       ///< gradients are not all on the table
  Value* fresh_[kFew] = {};   ///< by input: gradients not yet there
  std::unique_ptr<Further> further_;
};

[[gnu::always_inline]] inline FusedRule::FusedRule(Engine& engine, std::uint32_t id, Node& node)
    : BackwardContext(*node.op, node.input_count, node.attributes),
      engine_(engine),
      id_(id),
      node_(node),
      ids_(node.inputs()) {
  const Tape& tape = engine.tape_;
  const std::uint32_t saved = node.saved_inputs();
  few_count_ = std::min(input_count_, kFew);
  for (int i = 0; i < few_count_; ++i) {
    Value* value = tape.node(ids_[i]).value;
    few_[i] = value;
    if (engine.needs_input(*op_, i, ids_[i], value)) needed_ |= static_cast<std::uint8_t>(1u << i);
    const bool kept = (saved >> i & 1) != 0;
    if (kept && is_unwritten(value)) readable_ |= static_cast<std::uint8_t>(1u << i);
  }
  if (input_count_ > kFew) [[unlikely]]
    further().fresh.resize(static_cast<std::size_t>(input_count_) - kFew);
  Value* cotangent = engine.table_[id];
  const bool several = id + 1 < tape.size() && tape.node(id + 1).output > 0;
  usual_ = cotangent != nullptr && !several && input_count_ <= kFew;
  if (cotangent == nullptr || several || wants_copy(cotangent, *op_)) [[unlikely]] {
    take_cotangents();
  } else {
    cotangent_ = cotangent;
  }
}

void FusedRule::take_cotangents() {
  const Tape& tape = engine_.tape_;
  for (std::uint32_t k = id_; k < tape.size() && (k == id_ || tape.node(k).output > 0); ++k) {
    Value* value = engine_.table_[k];
    Var cotangent;
    if (value != nullptr) {
      cotangent = wants_copy(value, *op_) ? dense_copy(value) : Var::share(value);
    }
    if (k > id_) {
      further().cotangents.push_back(std::move(cotangent));
    } else if (cotangent.has_value()) {
      cotangent_ = cotangent.get();
      further().cotangent = std::move(cotangent);
    }
  }
}

void FusedRule::fail_index(const char* what, int i) const {
  engine_.fail(ErrorKind::kInternal,
               std::string("its backward asks for an ") + what +
                   " that it does not have: " + std::to_string(i),
               "", std::string(op_->name));
}

TensorView FusedRule::further_input(int i) const {
  check_input(i);
  return view_of(engine_.saved_value(id_, ids_[i], i));
}

TensorView FusedRule::output(int k) const { return view_of(engine_.saved_output(id_, k)); }

TensorView FusedRule::further_cotangent(int k) const {
  if (k == 0) return {};  // none flows
  if (further_ == nullptr || k < 0 || static_cast<std::size_t>(k) > further_->cotangents.size()) {
    fail_index("output's cotangent", k);
  }
  const Var& chosen = further_->cotangents[static_cast<std::size_t>(k) - 1];
  return chosen.has_value() ? view_of(chosen.get()) : TensorView{};
}

bool FusedRule::further_needs(int i) const {
  check_input(i);
  return engine_.needs_input(*op_, i, ids_[i], engine_.tape_.node(ids_[i]).value);
}

Value* FusedRule::destination(int i, bool& accumulate) {
  check_input(i);
  const std::uint32_t id = ids_[i];
  const Value* input = i < kFew ? few_[i] : engine_.tape_.node(id).value;
  const bool permuted = op_->gradients_keep_order && input->has(Value::kPermuted);
  Value* slot = engine_.table_[id];
  if (slot != nullptr && detail::is_sole_owner(slot) &&
      (permuted ? detail::same_places(slot, input) : !slot->has(Value::kStrided)) &&
      engine_.options_.observer == nullptr) {
    accumulate = true;
    return slot;
  }
  Value* made = permuted ? detail::new_in_order_of(input, input->dtype) : detail::new_like(input);
  Value* before = std::exchange(fresh(i), made);
  if (before != nullptr) detail::drop(before);
  return made;
}

[[gnu::always_inline]] inline void FusedRule::deliver_one(int i, Value*& place) {
  Value* made = place;
  if (engine_.watched_) engine_.observe_edge(id_, i, Var::share(made));
  place = nullptr;
  const std::uint32_t id = ids_[i];
  if (Value*& slot = engine_.table_[id]; slot == nullptr) {
    slot = made;
  } else {
    engine_.accumulate(id, made);
  }
}

[[gnu::always_inline]] inline void FusedRule::deliver() {
  for (int i = 0; i < few_count_; ++i) {
    if (fresh_[i] != nullptr) deliver_one(i, fresh_[i]);
  }
  for (int i = kFew; i < input_count_; ++i) {
    if (fresh(i) != nullptr) deliver_one(i, fresh(i));
  }
  pending_ = false;
}

/// Gradients are still here when the op or an observer threw.
inline FusedRule::~FusedRule() {
  if (!pending_) return;
  for (int i = 0; i < input_count_; ++i) {
    if (fresh(i) != nullptr) detail::drop(fresh(i));
  }
}

[[gnu::always_inline]] inline bool FusedRule::finish() {
  if (!usual_) return false;
  if (!engine_.restricted_ || (engine_.marks_[id_] & Engine::kTarget) == 0) {
    detail::drop(std::exchange(engine_.table_[id_], nullptr));
  }
  if (node_.saved != 0 && !engine_.options_.retain) give_back(node_, few_, input_count_);
  return true;
}

/// Lets come in, while node `id` computes, what the nodes before it will look at first: it lies
/// scattered, and each part is found through the one before.
[[gnu::always_inline]] inline void ask_ahead(const Tape& tape, std::uint32_t id) {
  constexpr std::uint32_t kNode = 6, kHeader = 4, kStorage = 2;  // nodes ahead
  if (id < kNode) return;
  __builtin_prefetch(&tape.node(id - kNode));
  __builtin_prefetch(tape.node(id - kHeader).value);
  const Value* value = tape.node(id - kStorage).value;
  if (!value->has(Value::kInline)) __builtin_prefetch(value->storage);
}

void Engine::run_fused(std::uint32_t id, Node& node) {
  ask_ahead(tape_, id);
  FusedRule rule(*this, id, node);
  node.op->backward(rule);
  rule.deliver();
  if (!rule.finish()) finish_node(id);
}

}  // namespace wengert
