#include "wengert/autodiff/engine.h"
#include "wengert/graph/thread_state.h"
#include "wengert/graph/value_pool.h"

// The sweep over values of one element. A program of scalars pays for these steps at every node,
// so they form a loop of their own that leaves everything out of the ordinary to the engine.
namespace wengert {

using detail::Node;
using detail::Value;

namespace {

template <class T>
T& element(Value* value) {
  return *reinterpret_cast<T*>(value->data);
}

/// A one-element value of that rank, its element inline, and one handle.
Value* new_one(DType dtype, int rank) {
  Value* value = detail::take_header(dtype, rank, false);
  for (int d = 0; d < rank; ++d) value->sizes()[d] = 1;
  value->flags |= Value::kInline;
  value->data = value->scalar;
  value->counts = Value::kHandle;
  return value;
}

template <class T>
auto backward_one(const ElementwiseKernels& kernels) {
  if constexpr (std::is_same_v<T, float>) {
    return kernels.backward_one_f32;
  } else {
    return kernels.backward_one_f64;
  }
}

constexpr std::uint8_t kSavedBeyondTwo = 0x0c | detail::kSavedManyInputs;

}  // namespace

template <class T, bool kRestricted, int kInputs>
[[gnu::always_inline]] inline bool Engine::run_one_element(std::uint32_t id, Node& node, Value* g) {
  const OpDef& def = *node.op;
  const ElementwiseOp& op = *def.single_element;
  const auto kernel = backward_one<T>(*op.kernels);
  if (kernel == nullptr) return false;
  Value** const table = table_.data();
  const int rank = g->rank;
  Value* in[kInputs];
  const void* data[kInputs];
  unsigned wanted = 0;
#pragma GCC unroll 2
  for (int i = 0; i < kInputs; ++i) {
    in[i] = tape_.node(node.few_inputs[i]).value;
    data[i] = in[i]->data;
    // Operands of an elementwise op that gives one element have one.
    if (in[i]->rank != rank) return false;
    if (def.elementwise == nullptr && !is_one(in[i], rank)) return false;
    const bool needed =
        in[i]->has(Value::kRequiresGrad) && (!kRestricted || marks_[node.few_inputs[i]] != 0);
    wanted |= (needed ? 1u : 0u) << i;
  }
  wanted &= def.differentiable;
  // All that wanted inputs read was saved, if anything was: it must not have been written since.
  const std::uint8_t saved = node.saved;
  if (saved == 0) {
    std::uint32_t reads = 0;
#pragma GCC unroll 2
    for (int i = 0; i < kInputs; ++i) reads |= def.reads[i];
    if (reads != 0) return false;
  } else {
    if ((saved & kSavedBeyondTwo) != 0) return false;
#pragma GCC unroll 2
    for (int i = 0; i < kInputs; ++i) {
      if ((saved >> i & 1) != 0 && !is_unwritten(in[i])) return false;
    }
    if ((saved & detail::kSavedOutput) != 0 && !is_unwritten(node.value)) return false;
  }

  const T cotangent = element<T>(g);
  PartialProducts<T> products{{cotangent, cotangent}};
  if (const unsigned computed = wanted & ~unsigned{op.passes}; computed != 0) {
    products = kernel(cotangent, data, node.value->data, computed, node.attributes);
    if (op.passes != 0) {
      for (int i = 0; i < kInputs; ++i) {
        if ((op.passes >> i & 1) != 0) products.of[i] = cotangent;
      }
    }
  }
  // g, when nobody else holds it, becomes the gradient of the first place that is empty.
  if (!kRestricted || (marks_[id] & kTarget) == 0) {
    table[id] = nullptr;
    if (!g->has(Value::kInline) || !detail::is_sole_owner(g)) {
      detail::drop(g);
      g = nullptr;
    }
  } else {
    g = nullptr;
  }
#pragma GCC unroll 2
  for (int i = 0; i < kInputs; ++i) {
    if ((wanted >> i & 1) == 0) continue;
    Value*& slot = table[node.few_inputs[i]];
    if (slot != nullptr && detail::is_sole_owner(slot)) {
      element<T>(slot) += products.of[i];
      continue;
    }
    Value* made = g != nullptr ? std::exchange(g, nullptr) : new_one(dtype_of<T>, rank);
    element<T>(made) = products.of[i];
    if (slot == nullptr) {
      slot = made;
    } else {
      accumulate(node.few_inputs[i], made);
    }
  }
  if (g != nullptr) detail::drop(g);
  if (saved != 0 && !options_.retain) give_back(node, in, kInputs);
  return true;
}

template <class T, bool kRestricted>
std::uint32_t Engine::sweep_one_elements_of(std::uint32_t id, std::uint32_t last) {
  Value** const table = table_.data();
  for (++id; id > last;) {
    Value* const g = table[id - 1];
    if (g == nullptr) {  // nothing flows here; an op with several outputs, which may care, is above
      --id;
      continue;
    }
    Node& node = tape_.node(id - 1);
    if (node.op->single_element == nullptr || g->dtype != dtype_of<T> || !is_one(g, g->rank))
      return id;
    if (node.input_count == 1) {
      if (!run_one_element<T, kRestricted, 1>(id - 1, node, g)) return id;
    } else {
      if (node.input_count != 2) return id;
      if (!run_one_element<T, kRestricted, 2>(id - 1, node, g)) return id;
    }
    --id;
  }
  return id;
}

std::uint32_t Engine::sweep_one_elements(std::uint32_t id, std::uint32_t last) {
  if (table_[id]->dtype == DType::kFloat32) {
    return restricted_ ? sweep_one_elements_of<float, true>(id, last)
                       : sweep_one_elements_of<float, false>(id, last);
  }
  return restricted_ ? sweep_one_elements_of<double, true>(id, last)
                     : sweep_one_elements_of<double, false>(id, last);
}

}  // namespace wengert
