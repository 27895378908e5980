#include "wengert/graph/var.h"

#include <cstring>

#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/graph/value_pool.h"

namespace wengert {
namespace {

detail::Value* wrap(const Tensor& tensor) {
  // A tensor that was moved from has no storage, which every leaf has.
  if (tensor.storage() == nullptr) return wrap(Tensor::empty({0}, DType::kFloat32));
  const Packing packing = packing_of(tensor.shape(), tensor.strides());
  const bool dense = packing == Packing::kRowMajor;
  detail::Value* value = detail::take_header(tensor.dtype(), tensor.rank(), !dense);
  if (packing == Packing::kPermuted) value->flags |= detail::Value::kPermuted;
  for (int i = 0; i < tensor.rank(); ++i) {
    value->sizes()[i] = tensor.shape()[i];
    if (!dense) value->strides()[i] = tensor.strides()[i];
  }
  value->counts = detail::Value::kHandle;
  value->flags |= detail::Value::kLeaf;
  // Shared even when tiny: a write through the tensor must be seen as one.
  detail::retain(tensor.storage());
  value->storage = tensor.storage();
  value->data = const_cast<std::byte*>(tensor.data());
  value->version = tensor.version();
  return value;
}

}  // namespace

Var::Var(const Tensor& tensor) : value_(wrap(tensor)) {}

Var::Var(bool fractional, double real, std::int64_t integer) {
  using detail::Value;
  value_ = detail::take_header(fractional ? DType::kFloat64 : DType::kInt64, 0, false);
  value_->counts = Value::kHandle;
  value_->flags = Value::kInline | Value::kWeak | Value::kLeaf;
  value_->data = value_->scalar;
  if (fractional) {
    std::memcpy(value_->scalar, &real, sizeof real);
  } else {
    std::memcpy(value_->scalar, &integer, sizeof integer);
  }
}

Var variable(const Tensor& tensor, std::source_location where) {
  if (!is_floating(tensor.dtype())) {
    throw Error(ErrorKind::kDType, "variable",
                "gradients exist for float32 and float64, not for " +
                    to_string(tensor.dtype(), tensor.shape()),
                "use the tensor itself as a constant, or convert it with to(DType)", where);
  }
  Var result(tensor);
  result.get()->flags |= detail::Value::kRequiresGrad;
  return result;
}

const detail::Value& Var::checked(std::source_location where) const {
  if (value_ == nullptr) {
    throw Error(ErrorKind::kGraph, "Var", "this Var is empty (default constructed or moved from)",
                "assign the result of an op to it first", where, Error::Cause::kEmptyVar);
  }
  return *value_;
}

DType Var::dtype(std::source_location where) const {
  const detail::Value& v = checked(where);
  if (v.has(detail::Value::kWeak)) {
    return v.dtype == DType::kInt64 ? DType::kInt64 : DType::kFloat32;
  }
  return v.dtype;
}

Shape Var::shape(std::source_location where) const {
  const detail::Value& v = checked(where);
  return Shape(std::span<const std::int64_t>(v.sizes(), v.rank));
}

int Var::rank(std::source_location where) const { return checked(where).rank; }

std::int64_t Var::size(int axis, std::source_location where) const {
  const detail::Value& v = checked(where);
  const int resolved = axis < 0 ? axis + v.rank : axis;
  if (resolved < 0 || resolved >= v.rank) {
    throw Error(ErrorKind::kAxis, "Var",
                "axis " + std::to_string(axis) + " of " + to_string(v.dtype, shape(where)),
                axes_of_rank(v.rank), where);
  }
  return v.sizes()[resolved];
}

std::int64_t Var::element_count(std::source_location where) const { return checked(where).count(); }

bool Var::requires_grad(std::source_location where) const {
  return checked(where).has(detail::Value::kRequiresGrad);
}

Tensor Var::value(std::source_location where) const {
  const detail::Value& v = checked(where);
  if (detail::is_of_another_thread(value_)) [[unlikely]] {
    throw Error(ErrorKind::kGraph, "Var::value", "this Var was made by another thread",
                "take value() on the thread that made it and hand the Tensor over", where);
  }
  const Shape sizes = shape(where);
  if (v.has(detail::Value::kWeak)) {
    return detail::number_in(*this, dtype(where));
  }
  const Strides strides = v.has(detail::Value::kStrided)
                              ? Strides(std::span<const std::int64_t>(v.strides(), v.rank))
                              : dense_strides(sizes);
  if (v.has(detail::Value::kInline)) {
    Tensor copy = Tensor::empty(sizes, v.dtype);
    if (v.count() > 0) {
      copy_elements(v.dtype, v.data, strides, v.dtype, copy.storage()->data, dense_strides(sizes),
                    sizes);
    }
    return copy;
  }
  detail::retain(v.storage);
  return Tensor::from_storage(v.storage, v.data, v.dtype, sizes, strides);
}

namespace detail {

Tensor number_in(const Var& number, DType dtype) {
  const Value& v = *number.get();
  const Tensor whole = v.dtype == DType::kInt64
                           ? Tensor::scalar(*reinterpret_cast<const std::int64_t*>(v.data))
                           : Tensor::scalar(*reinterpret_cast<const double*>(v.data));
  return whole.to(dtype);
}

}  // namespace detail

}  // namespace wengert
