#include "wengert/graph/op.h"

#include <cstddef>

#include "wengert/graph/call_site.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"

namespace wengert {

bool TensorView::is_dense() const {
  if (strides == nullptr) return true;
  std::int64_t step = 1;
  for (int i = rank - 1; i >= 0; --i) {
    if (sizes[i] != 1 && strides[i] != step) return count() == 0;
    step *= sizes[i];
  }
  return true;
}

void OpCall::fail(ErrorKind kind, std::string message, std::string fix) const {
  throw Error({.kind = kind,
               .op = std::string(op_->name),
               .message = std::move(message),
               .scope = Scope::path(),
               .file = where_.file_name(),
               .line = where_.line(),
               .fix = std::move(fix),
               .users_line = true});
}

int OpCall::resolve_axis(std::int64_t axis, int rank) const {
  const std::int64_t resolved = axis < 0 ? axis + rank : axis;
  if (resolved < 0 || resolved >= rank) {
    fail(ErrorKind::kAxis,
         "axis " + std::to_string(axis) + " is out of range for rank " + std::to_string(rank),
         axes_of_rank(rank));
  }
  return static_cast<int>(resolved);
}

void OpCall::fail_mixed_dtypes(int i, int k) const {
  fail(ErrorKind::kDType, "mixed dtypes: " + describe(i) + " and " + describe(k),
       "convert one with cast(x, DType)");
}

void OpCall::fail_not_floating(int i) const {
  fail(ErrorKind::kDType, "needs float32 or float64, got " + describe(i),
       "convert it with cast(x, DType::kFloat32)");
}

InferContext::Output& InferContext::next_of_many() {
  if (count_++ == kFew) all_.assign(few(), few() + kFew);
  return all_.emplace_back();
}

void InferContext::output_view(int i, const Shape& shape, const Strides& strides,
                               std::int64_t offset) {
  if (i < 0 || i >= input_count() || strides.size() != shape.size()) {
    fail(ErrorKind::kInternal, "its infer makes a view of input " + std::to_string(i) + " of " +
                                   std::to_string(input_count()) + ", sizes " + shape.str() +
                                   ", strides " + strides.str());
  }
  Output& made = next();
  made.dtype = dtype(i);
  made.viewed_input = i;
  made.offset = offset;
  made.shape = shape;
  made.strides = strides;
}

Strides InferContext::strides(int i) const {
  const detail::Value* value = inputs_[static_cast<std::size_t>(i)];
  return value->has(detail::Value::kStrided)
             ? Strides(std::span<const std::int64_t>(value->strides(), value->rank))
             : dense_strides(shape(i));
}

Fans fans_of(const OpDef& op, DType dtype, std::span<const Shape> shapes, int input,
             const void* attributes, std::source_location where) {
  const detail::CallSite site(where);
  if (op.fans == nullptr) {
    throw Error(ErrorKind::kValue, std::string(op.name), "this op states no fans for its inputs",
                "use an initializer that needs none: normal, uniform, constant");
  }
  constexpr std::size_t kMost = 8;
  if (shapes.size() > kMost) {
    throw Error(ErrorKind::kValue, std::string(op.name),
                "fans of " + std::to_string(shapes.size()) + " operands", "at most 8");
  }
  // Headers without data, on the stack: only sizes are looked at, and every layer asks.
  struct Header {
    detail::Value value;
    std::int64_t sizes[kMaxRank];
  } headers[kMost];
  static_assert(offsetof(Header, sizes) == sizeof(detail::Value));
  detail::Value* values[kMost];
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    headers[i].value = {};
    headers[i].value.dtype = dtype;
    headers[i].value.rank = static_cast<std::uint8_t>(shapes[i].size());
    for (int d = 0; d < shapes[i].size(); ++d) headers[i].sizes[d] = shapes[i][d];
    values[i] = &headers[i].value;
  }
  return op.fans(OpCall(op, {values, shapes.size()}, attributes, where), input);
}

}  // namespace wengert
