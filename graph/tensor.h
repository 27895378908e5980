#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <source_location>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/dtype.h"
#include "wengert/graph/exact_number.h"
#include "wengert/graph/shape.h"
#include "wengert/graph/storage.h"

namespace wengert {

class Tensor;

/// The one way to write into a tensor's memory: bumps the storage's version, so that a value a
/// tape saved from the same memory is found overwritten at backward. Keep it only while writing.
class WENGERT_API WriteGuard {
 public:
  /// `writer` names what writes ("Sgd::step") in such an error; it must be a string literal.
  /// Throws Error(kValue) when the tensor is a broadcast view (elements that share memory) or over
  /// memory that the user gave as const.
  [[nodiscard]] WriteGuard(Tensor& tensor, const char* writer,
                           std::source_location where = std::source_location::current());
  std::byte* data() const { return data_; }
  /// The elements, dense. Throws Error(kDType) on another dtype, Error(kValue) on strided views.
  template <class T>
  std::span<T> span(std::source_location where = std::source_location::current()) const {
    return {reinterpret_cast<T*>(checked(dtype_of<T>, where)), static_cast<std::size_t>(count_)};
  }

 private:
  std::byte* checked(DType dtype, std::source_location where) const;
  const Tensor* tensor_;
  std::byte* data_;
  std::int64_t count_;
};

/// A value with dtype, shape and strides over counted memory: cheap to copy, safe to pass between
/// threads, immutable but through a WriteGuard. It knows nothing of tapes.
class WENGERT_API Tensor {
 public:
  /// A float32 scalar 0.
  Tensor();
  /// Uninitialized, dense. Throws Error(kShape) on negative sizes or overflow, Error(kMemory).
  static Tensor empty(const Shape& shape, DType dtype = DType::kFloat32,
                      std::source_location where = std::source_location::current());
  static Tensor zeros(const Shape& shape, DType dtype = DType::kFloat32,
                      std::source_location where = std::source_location::current());
  /// Every element `value`, rounded where floating. Throws Error(kValue) where an integer dtype or
  /// bool does not hold it.
  static Tensor full(const Shape& shape, ExactNumber value, DType dtype = DType::kFloat32,
                     std::source_location where = std::source_location::current());

  /// Rank 0, dtype from the C++ type: scalar(1.5f) is f32[].
  template <class T>
  static Tensor scalar(T value) {
    Tensor result = empty({}, dtype_of<T>);  // never fails but for memory
    *reinterpret_cast<T*>(result.data_) = value;
    return result;
  }
  /// Copies `values` in row-major order. Throws Error(kShape) when the counts differ.
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape,
                     std::source_location where = std::source_location::current()) {
    return copy_of(dtype_of<T>, values.data(), values.size(), shape, where);
  }
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape,
                     std::source_location where = std::source_location::current()) {
    return from(std::span<const T>(values), shape, where);
  }
  template <class T>
  static Tensor from(std::initializer_list<T> values, const Shape& shape,
                     std::source_location where = std::source_location::current()) {
    return from(std::span<const T>(values.begin(), values.size()), shape, where);
  }
  /// Zero-copy over memory that the caller owns and keeps alive and unchanged, dense row-major;
  /// any alignment of T's own. `release(context)`, if given, runs after the last use. Memory that
  /// comes as const is never written: a WriteGuard over it throws Error(kValue).
  template <class T>
  static Tensor view_of(T* data, const Shape& shape, void (*release)(void*) = nullptr,
                        void* context = nullptr,
                        std::source_location where = std::source_location::current()) {
    using Element = std::remove_const_t<T>;
    return adopt(dtype_of<Element>, const_cast<Element*>(data), shape, std::is_const_v<T>, release,
                 context, where);
  }

  Tensor(const Tensor& other);
  /// The source is left as an empty float32 vector.
  Tensor(Tensor&& other) noexcept;
  Tensor& operator=(const Tensor& other);
  Tensor& operator=(Tensor&& other) noexcept;
  ~Tensor() { detail::release(storage_); }

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  const Strides& strides() const { return strides_; }
  int rank() const { return shape_.size(); }
  /// Size along `axis`, negative axes from the back. Throws Error(kAxis).
  std::int64_t size(int axis, std::source_location where = std::source_location::current()) const;
  std::int64_t element_count() const { return count_; }
  /// Whether the elements lie row-major without gaps.
  bool is_dense() const;

  /// First element's address. Reading goes by strides(); writing needs a WriteGuard.
  const std::byte* data() const { return data_; }
  /// The elements in row-major order without a copy. Throws Error(kDType, kValue): other dtype,
  /// strided view (call contiguous() first).
  template <class T>
  std::span<const T> span(std::source_location where = std::source_location::current()) const {
    return {reinterpret_cast<const T*>(checked(dtype_of<T>, where)),
            static_cast<std::size_t>(count_)};
  }
  /// The only element, as T. Throws Error(kShape, kDType).
  template <class T>
  T item(std::source_location where = std::source_location::current()) const {
    check_item(dtype_of<T>, where);
    return *reinterpret_cast<const T*>(data_);
  }
  /// The only element converted to double, whatever the dtype. Throws Error(kShape).
  double scalar_value(std::source_location where = std::source_location::current()) const;
  /// Element at flat row-major position `i`, converted to double; strides are honoured.
  double at(std::int64_t i, std::source_location where = std::source_location::current()) const;
  /// All elements in row-major order, converted to T.
  template <class T>
  std::vector<T> to_vector() const {
    std::vector<T> values(static_cast<std::size_t>(count_));
    if constexpr (std::is_same_v<T, bool>) {
      for (std::int64_t i = 0; i < count_; ++i) values[i] = at(i) != 0;
    } else {
      copy_out(dtype_of<T>, values.data());
    }
    return values;
  }

  /// This, when dense; otherwise a dense copy.
  Tensor contiguous() const;
  /// A dense copy with memory of its own.
  Tensor clone() const;
  /// A dense copy in another dtype (C++ conversion of each element; NaN to integer gives 0).
  Tensor to(DType dtype) const;
  /// The same elements under another dense shape, without a copy. Throws Error(kShape, kValue).
  Tensor reshaped(const Shape& shape,
                  std::source_location where = std::source_location::current()) const;
  /// Rows [begin, end) along axis 0, without a copy. Throws Error(kShape, kIndex).
  Tensor rows(std::int64_t begin, std::int64_t end,
              std::source_location where = std::source_location::current()) const;

  /// Short, readable text: dtype, shape and the values, large tensors abbreviated.
  std::string str() const;
  /// As str().
  friend WENGERT_API std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

  /// Version of the memory: changes with every write guard over any tensor that shares it.
  std::uint32_t version() const {
    return storage_ == nullptr ? 0 : storage_->version.load(std::memory_order_acquire);
  }

  /// For the library itself: a tensor over counted storage.
  static Tensor from_storage(detail::Storage* retained, std::byte* data, DType dtype,
                             const Shape& shape, const Strides& strides);
  detail::Storage* storage() const { return storage_; }

 private:
  friend class WriteGuard;
  struct Uninitialized {};
  explicit Tensor(Uninitialized) {}
  static Tensor copy_of(DType dtype, const void* values, std::size_t count, const Shape& shape,
                        std::source_location where);
  static Tensor adopt(DType dtype, void* data, const Shape& shape, bool read_only,
                      void (*release)(void*), void* context, std::source_location where);
  const std::byte* checked(DType dtype, std::source_location where) const;
  void check_item(DType dtype, std::source_location where) const;
  void copy_out(DType dtype, void* destination) const;

  detail::Storage* storage_ = nullptr;
  std::byte* data_ = nullptr;
  std::int64_t count_ = 0;
  DType dtype_ = DType::kFloat32;
  Shape shape_;
  Strides strides_;
};

/// Copies elements between strided layouts, converting dtypes; for tests, files and printing,
/// not a fast path.
WENGERT_API void copy_elements(DType from_dtype, const std::byte* from, const Strides& from_strides,
                               DType to_dtype, std::byte* to, const Strides& to_strides,
                               const Shape& shape);

}  // namespace wengert
