#include "wengert/graph/tensor.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "wengert/graph/call_site.h"
#include "wengert/graph/convert.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"

namespace wengert {
void copy_elements(DType from_dtype, const std::byte* from, const Strides& from_strides,
                   DType to_dtype, std::byte* to, const Strides& to_strides, const Shape& shape) {
  const std::int64_t count = element_count(shape);
  if (count == 0) return;
  const int rank = shape.size();
  dispatch(from_dtype, [&]<class From>(From) {
    dispatch(to_dtype, [&]<class To>(To) {
      Dims index;
      index.resize(rank);
      std::int64_t source = 0, target = 0;
      for (std::int64_t i = 0; i < count; ++i) {
        reinterpret_cast<To*>(to)[target] =
            detail::convert<To>(reinterpret_cast<const From*>(from)[source]);
        for (int d = rank - 1; d >= 0; --d) {
          source += from_strides[d];
          target += to_strides[d];
          if (++index[d] < shape[d]) break;
          source -= from_strides[d] * shape[d];
          target -= to_strides[d] * shape[d];
          index[d] = 0;
        }
      }
    });
  });
}

WriteGuard::WriteGuard(Tensor& tensor, const char* writer, std::source_location where)
    : tensor_(&tensor), data_(tensor.data_), count_(tensor.count_) {
  // Without elements nothing is shared, and strides may have wrapped to anything.
  for (int d = 0; count_ > 0 && d < tensor.rank(); ++d) {
    if (tensor.strides()[d] == 0 && tensor.shape()[d] > 1) {
      throw Error(ErrorKind::kValue, "write", "elements of this broadcast view share memory",
                  "write into clone() instead", where);
    }
  }
  detail::Storage* storage = tensor.storage_;
  if (storage == nullptr) return;  // moved from: no elements
  if (storage->read_only) {
    throw Error(ErrorKind::kValue, "write", "this is a view of memory that was given as const",
                "write into clone() instead", where);
  }
  storage->writer = writer;
  storage->written_at = where;
  storage->version.fetch_add(1, std::memory_order_acq_rel);
}

std::byte* WriteGuard::checked(DType dtype, std::source_location where) const {
  tensor_->checked(dtype, where);
  return data_;
}

Tensor::Tensor() : Tensor(zeros({})) {}

Tensor Tensor::empty(const Shape& shape, DType dtype, std::source_location where) {
  const detail::CallSite site(where);
  const std::size_t bytes = byte_count(dtype, shape);
  detail::Storage* storage;
  try {
    storage = detail::allocate_storage(bytes);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::kMemory, "tensor",
                "the system has no memory left for " + to_string(dtype, shape) + ", " +
                    std::to_string(bytes) + " bytes",
                "use smaller batches, or free values that are held");
  }
  return from_storage(storage, storage->data, dtype, shape, dense_strides(shape));
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, std::source_location where) {
  Tensor result = empty(shape, dtype, where);
  std::memset(result.data_, 0, static_cast<std::size_t>(result.count_) * size_of(dtype));
  return result;
}

Tensor Tensor::full(const Shape& shape, ExactNumber value, DType dtype,
                    std::source_location where) {
  Tensor result = empty(shape, dtype, where);
  if (!value.is_held_by(dtype)) {
    throw Error(ErrorKind::kValue, "tensor", value.str() + " is no " + std::string(name_of(dtype)),
                "choose a dtype that holds it", where);
  }
  dispatch(dtype, [&]<class T>(T) {
    std::fill_n(reinterpret_cast<T*>(result.data_), result.count_, value.as<T>());
  });
  return result;
}

Tensor Tensor::copy_of(DType dtype, const void* values, std::size_t count, const Shape& shape,
                       std::source_location where) {
  Tensor result = empty(shape, dtype, where);
  if (static_cast<std::size_t>(result.count_) != count) {
    throw Error(ErrorKind::kShape, "tensor",
                std::to_string(count) + " values for shape " + shape.str() + " of " +
                    std::to_string(result.count_) + " elements",
                "the product of the sizes must equal the number of values", where);
  }
  if (count > 0) std::memcpy(result.data_, values, count * size_of(dtype));
  return result;
}

Tensor Tensor::adopt(DType dtype, void* data, const Shape& shape, bool read_only,
                     void (*release)(void*), void* context, std::source_location where) {
  const detail::CallSite site(where);
  const std::size_t bytes = byte_count(dtype, shape);
  if (data == nullptr && bytes > 0) {
    throw Error(ErrorKind::kValue, "tensor", "null data for shape " + shape.str());
  }
  detail::Storage* storage = detail::adopt_memory(data, bytes, read_only, release, context);
  return from_storage(storage, storage->data, dtype, shape, dense_strides(shape));
}

Tensor Tensor::from_storage(detail::Storage* retained, std::byte* data, DType dtype,
                            const Shape& shape, const Strides& strides) {
  Tensor result{Uninitialized{}};
  result.storage_ = retained;
  result.data_ = data;
  result.dtype_ = dtype;
  result.shape_ = shape;
  result.strides_ = strides;
  result.count_ = wengert::element_count(shape);
  return result;
}

Tensor::Tensor(const Tensor& other)
    : storage_(other.storage_),
      data_(other.data_),
      count_(other.count_),
      dtype_(other.dtype_),
      shape_(other.shape_),
      strides_(other.strides_) {
  detail::retain(storage_);
}

Tensor::Tensor(Tensor&& other) noexcept
    : storage_(std::exchange(other.storage_, nullptr)),
      data_(std::exchange(other.data_, nullptr)),
      count_(std::exchange(other.count_, 0)),
      dtype_(std::exchange(other.dtype_, DType::kFloat32)),
      shape_(std::exchange(other.shape_, Shape{0})),
      strides_(std::exchange(other.strides_, Strides{1})) {}

Tensor& Tensor::operator=(const Tensor& other) { return *this = Tensor(other); }

Tensor& Tensor::operator=(Tensor&& other) noexcept {
  std::swap(storage_, other.storage_);
  std::swap(data_, other.data_);
  std::swap(count_, other.count_);
  std::swap(dtype_, other.dtype_);
  std::swap(shape_, other.shape_);
  std::swap(strides_, other.strides_);
  return *this;
}

std::int64_t Tensor::size(int axis, std::source_location where) const {
  const int resolved = axis < 0 ? axis + rank() : axis;
  if (resolved < 0 || resolved >= rank()) {
    throw Error(ErrorKind::kAxis, "tensor",
                "axis " + std::to_string(axis) + " of " + to_string(dtype_, shape_),
                axes_of_rank(rank()), where);
  }
  return shape_[resolved];
}

bool Tensor::is_dense() const {
  if (count_ == 0) return true;
  std::int64_t step = 1;
  for (int i = rank() - 1; i >= 0; --i) {
    if (shape_[i] != 1 && strides_[i] != step) return false;
    step *= shape_[i];
  }
  return true;
}

const std::byte* Tensor::checked(DType dtype, std::source_location where) const {
  if (dtype != dtype_) {
    throw Error(
        ErrorKind::kDType, "tensor",
        "asked for " + std::string(name_of(dtype)) + " elements of " + to_string(dtype_, shape_),
        "convert with to(DType)", where);
  }
  if (!is_dense()) {
    throw Error(ErrorKind::kValue, "tensor",
                to_string(dtype_, shape_) + " is a strided view, its elements are not in a row",
                "call contiguous() first", where);
  }
  return data_;
}

void Tensor::check_item(DType dtype, std::source_location where) const {
  if (count_ != 1) {
    throw Error(ErrorKind::kShape, "item",
                to_string(dtype_, shape_) + " has " + std::to_string(count_) + " elements, not 1",
                "at(i) gives one of several, to_vector<T>() all", where);
  }
  if (dtype != dtype_) {
    throw Error(ErrorKind::kDType, "item",
                "asked for " + std::string(name_of(dtype)) + " of " + to_string(dtype_, shape_),
                "scalar_value() converts any dtype to double", where);
  }
}

double Tensor::scalar_value(std::source_location where) const {
  check_item(dtype_, where);
  return at(0, where);
}

double Tensor::at(std::int64_t i, std::source_location where) const {
  if (i < 0 || i >= count_) {
    throw Error(
        ErrorKind::kIndex, "tensor",
        "element " + std::to_string(i) + " of " + to_string(dtype_, shape_),
        count_ == 0 ? "it has no elements" : "elements go from 0 to " + std::to_string(count_ - 1),
        where);
  }
  std::int64_t offset = 0;
  for (int d = rank() - 1; d >= 0; --d) {
    offset += (i % shape_[d]) * strides_[d];
    i /= shape_[d];
  }
  return dispatch(dtype_, [&]<class T>(T) {
    return static_cast<double>(reinterpret_cast<const T*>(data_)[offset]);
  });
}

void Tensor::copy_out(DType dtype, void* destination) const {
  copy_elements(dtype_, data_, strides_, dtype, static_cast<std::byte*>(destination),
                dense_strides(shape_), shape_);
}

Tensor Tensor::contiguous() const { return is_dense() ? *this : clone(); }

Tensor Tensor::clone() const {
  Tensor result = empty(shape_, dtype_);
  if (is_dense()) {
    if (count_ > 0) {
      std::memcpy(result.data_, data_, static_cast<std::size_t>(count_) * size_of(dtype_));
    }
  } else {
    copy_out(dtype_, result.data_);
  }
  return result;
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_) return clone();
  Tensor result = empty(shape_, dtype);
  copy_out(dtype, result.data_);
  return result;
}

Tensor Tensor::reshaped(const Shape& shape, std::source_location where) const {
  const detail::CallSite site(where);
  if (wengert::element_count(shape) != count_) {
    throw Error(ErrorKind::kShape, "reshaped",
                to_string(dtype_, shape_) + " cannot become " + shape.str(),
                "it has " + std::to_string(count_) + " elements, these sizes make " +
                    std::to_string(wengert::element_count(shape)));
  }
  checked(dtype_, where);
  detail::retain(storage_);
  return from_storage(storage_, data_, dtype_, shape, dense_strides(shape));
}

Tensor Tensor::rows(std::int64_t begin, std::int64_t end, std::source_location where) const {
  const detail::CallSite site(where);
  if (rank() == 0 || begin < 0 || end < begin || end > shape_[0]) {
    throw Error(ErrorKind::kIndex, "rows",
                "rows " + std::to_string(begin) + " to " + std::to_string(end) + " of " +
                    to_string(dtype_, shape_),
                rank() == 0
                    ? "a scalar has no rows"
                    : "it has rows 0 to " + std::to_string(shape_[0]) + ", the end not among them");
  }
  Shape shape = shape_;
  shape[0] = end - begin;
  detail::retain(storage_);
  return from_storage(storage_,
                      data_ + begin * strides_[0] * static_cast<std::int64_t>(size_of(dtype_)),
                      dtype_, shape, strides_);
}

}  // namespace wengert
