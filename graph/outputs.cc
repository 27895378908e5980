#include "wengert/graph/outputs.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "wengert/graph/error.h"
#include "wengert/graph/storage.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/value_pool.h"

namespace wengert::detail {
namespace {

/// Whether the elements of a view lie inside the memory that it shares.
bool lies_inside(const Value* viewed, const InferContext::Output& view) {
  const bool inside_header = viewed->has(Value::kInline);
  const std::byte* memory = inside_header ? viewed->scalar : viewed->storage->data;
  const std::size_t bytes = inside_header ? sizeof viewed->scalar : viewed->storage->bytes;
  const auto size = static_cast<std::int64_t>(size_of(view.dtype));
  std::int64_t lowest = view.offset, highest = view.offset, reach = 0;
  for (int d = 0; d < view.shape.size(); ++d) {
    std::int64_t& end = view.strides[d] < 0 ? lowest : highest;
    if (__builtin_mul_overflow(view.shape[d] - 1, view.strides[d], &reach) ||
        __builtin_add_overflow(end, reach, &end)) {
      return false;
    }
  }
  const std::int64_t before = (viewed->data - memory) / size;  // elements in front of the input's
  return lowest >= -before && highest < static_cast<std::int64_t>(bytes) / size - before;
}

/// A header that shares `viewed`'s memory (a copy of it, when that lies inside the header).
Value* make_view(Value* viewed, const InferContext::Output& spec) {
  const int rank = spec.shape.size();
  if (element_count(spec.shape) > 0 && !lies_inside(viewed, spec)) {
    throw Error(ErrorKind::kInternal, "view",
                "its infer makes a view " + spec.shape.str() + " with strides " +
                    spec.strides.str() + " from element " + std::to_string(spec.offset) +
                    " that leaves the memory of " +
                    to_string(viewed->dtype, {viewed->sizes(), viewed->rank}));
  }
  const Packing packing = packing_of(spec.shape, spec.strides);
  const bool dense = packing == Packing::kRowMajor;
  Value* value = take_header(spec.dtype, rank, !dense);
  if (packing == Packing::kPermuted) value->flags |= Value::kPermuted;
  for (int d = 0; d < rank; ++d) {
    value->sizes()[d] = spec.shape[d];
    if (!dense) value->strides()[d] = spec.strides[d];
  }
  value->counts = Value::kHandle;
  const std::int64_t offset = spec.offset * static_cast<std::int64_t>(size_of(spec.dtype));
  if (viewed->has(Value::kInline)) {
    value->flags |= Value::kInline;
    std::memcpy(value->scalar, viewed->scalar, sizeof value->scalar);
    value->data = value->scalar + (viewed->data - viewed->scalar) + offset;
  } else {
    retain(viewed->storage);
    value->storage = viewed->storage;
    value->data = viewed->data + offset;
    value->version = viewed->version;
  }
  return value;
}

/// The first operand of the output's shape that lies without gaps, if not row-major; else null.
const Value* orders(std::span<Value* const> inputs, const InferContext::Output& spec) {
  for (const Value* value : inputs) {
    if (value->rank != spec.shape.size() ||
        !std::equal(value->sizes(), value->sizes() + value->rank, spec.shape.data())) {
      continue;
    }
    if (!value->has(Value::kStrided)) return nullptr;
    if (value->has(Value::kPermuted)) return value;
  }
  return nullptr;
}

/// Output k as `spec` states it, uninitialized unless it is a view.
Value* make_output(const OpDef& op, std::span<Value* const> inputs,
                   const InferContext::Output& spec, int k) {
  if (spec.viewed_input >= 0) return make_view(inputs[spec.viewed_input], spec);
  if (in_set(op.keeps_order, k)) {
    if (const Value* like = orders(inputs, spec)) return new_in_order_of(like, spec.dtype);
  }
  return new_dense(spec.dtype, spec.shape.size(), spec.shape.data());
}

/// Fails unless the record computes what it infers.
inline void check_outputs(const InferContext& call, bool computed) {
  if (call.outputs().empty()) call.fail(ErrorKind::kInternal, "its infer states no output");
  if (computed && call.op().evaluate == nullptr) {
    call.fail(ErrorKind::kInternal, "its record has no evaluate, but its output is no view");
  }
}

}  // namespace

Value* compute_permuted(const ElementwiseOp& op, std::span<Value* const> in,
                        const void* attributes) {
  const Value* first = in[0];
  if (!first->has(Value::kPermuted)) return nullptr;
  const std::int64_t count = first->count();
  if (count > kFewElements) return nullptr;
  const void* data[4];
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i]->dtype != first->dtype || in[i]->rank != first->rank ||
        !std::equal(in[i]->sizes(), in[i]->sizes() + first->rank, first->sizes()) ||
        !same_places(in[i], first)) {
      return nullptr;
    }
    data[i] = in[i]->data;
  }
  const auto kernel = op.kernels->forward[static_cast<int>(first->dtype)];
  if (kernel == nullptr) return nullptr;
  Value* value = new_in_order_of(first, op.predicate ? DType::kBool : first->dtype);
  kernel(data, value->data, count, attributes);
  return value;
}

Computed compute_one(const OpDef& op, std::span<Value* const> inputs, const void* attributes,
                     std::source_location where, Tape& tape) {
  InferContext inferred(op, inputs, attributes, where);
  op.infer(inferred);
  if (inferred.wants_dense() != 0 || inferred.wants_expansion()) [[unlikely]]
    return {};
  const auto outputs = inferred.outputs();
  check_outputs(inferred, outputs.size() == 1 && outputs[0].viewed_input < 0);
  if (outputs.size() > 1) [[unlikely]]
    return {};
  const InferContext::Output& spec = outputs[0];
  Var result = Var::take(make_output(op, inputs, spec, 0));
  void* kept = nullptr;
  if (inferred.is_canonical()) kept = tape.keep(op, inferred.raw_attributes());
  if (spec.viewed_input < 0) {
    Value* raw[] = {result.get()};
    EvalContext context(op, inputs, inferred.raw_attributes(), where, raw);
    op.evaluate(context);
  }
  return {result.release(), kept};
}

std::uint32_t compute(const OpDef& op, std::span<Value* const> inputs, const void* attributes,
                      std::source_location where, int wanted, Results& results) {
  InferContext inferred(op, inputs, attributes, where);
  op.infer(inferred);
  if (inferred.wants_expansion() && op.expand == nullptr) {
    inferred.fail(ErrorKind::kInternal, "its infer asks for an expansion that its record lacks");
  }
  if (const std::uint32_t wanted_dense = inferred.wants_dense(); wanted_dense != 0) {
    bool strided = false;
    for (int i = 0; i < inferred.input_count(); ++i) {
      strided |= in_set(wanted_dense, i) && inputs[i]->has(Value::kStrided);
    }
    if (!strided) {
      inferred.fail(ErrorKind::kInternal, "its infer asks for dense copies of what is dense");
    }
    return wanted_dense;
  }
  if (inferred.wants_expansion()) return 0;
  bool computed = false;
  for (const InferContext::Output& spec : inferred.outputs()) computed |= spec.viewed_input < 0;
  check_outputs(inferred, computed);
  const int visible = static_cast<int>(inferred.outputs().size()) - op.hidden_outputs;
  if (visible < 1 || (wanted >= 0 && visible != wanted)) {
    inferred.fail(ErrorKind::kInternal,
                  "gives " + std::to_string(visible) + " visible outputs where " +
                      std::to_string(wanted) + " are asked for",
                  "apply takes ops with one output, apply_multiple all");
  }
  results.make(inferred, inputs);
  if (inferred.is_canonical()) results.keep_attributes(inferred);
  if (!computed) return 0;
  EvalContext context(op, inputs, inferred.raw_attributes(), where, results.raw());
  op.evaluate(context);
  return 0;
}

void Results::keep_attributes(const InferContext& inferred) {
  std::memcpy(canonical_, inferred.raw_attributes(), inferred.op().attributes->size);
  is_canonical_ = true;
}

void Results::make(const InferContext& inferred, std::span<Value* const> inputs) {
  const auto specs = inferred.outputs();
  if (specs.size() > kFew) {
    many_.resize(specs.size());
    many_raw_.resize(specs.size());
  }
  for (const InferContext::Output& spec : specs) {
    Value* value = make_output(inferred.op(), inputs, spec, static_cast<int>(count_));
    (many_.empty() ? few_raw_[count_] : many_raw_[count_]) = value;
    (*this)[count_] = Var::take(value);
    ++count_;
  }
}

}  // namespace wengert::detail
