#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <source_location>
#include <span>
#include <string>

#include "wengert/graph/api.h"
#include "wengert/graph/dtype.h"

namespace wengert {

inline constexpr int kMaxRank = 8;

/// A short list of sizes, axes or strides, held inline: at most kMaxRank entries.
/// Appending beyond that throws Error(kShape).
class WENGERT_API Dims {
 public:
  Dims() = default;
  Dims(std::initializer_list<std::int64_t> values,
       std::source_location where = std::source_location::current())
      : Dims(std::span<const std::int64_t>(values.begin(), values.size()), where) {}
  explicit Dims(std::span<const std::int64_t> values,
                std::source_location where = std::source_location::current()) {
    assign(values, where);
  }

  int size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::int64_t operator[](int i) const { return values_[i]; }
  std::int64_t& operator[](int i) { return values_[i]; }
  const std::int64_t* data() const { return values_; }
  std::int64_t* data() { return values_; }
  const std::int64_t* begin() const { return values_; }
  const std::int64_t* end() const { return values_ + size_; }
  std::int64_t back() const { return values_[size_ - 1]; }
  /// Takes these values. One by one: a copy of the whole would wait for what was just written.
  void assign(std::span<const std::int64_t> values,
              std::source_location where = std::source_location::current()) {
    if (values.size() > static_cast<std::size_t>(kMaxRank)) fail_rank(where);
    size_ = static_cast<std::int32_t>(values.size());
    for (int i = 0; i < size_; ++i) values_[i] = values[static_cast<std::size_t>(i)];
  }
  void push_back(std::int64_t value, std::source_location where = std::source_location::current());
  void resize(int size, std::int64_t fill = 0,
              std::source_location where = std::source_location::current());
  void insert(int position, std::int64_t value);
  void erase(int position);
  std::span<const std::int64_t> span() const { return {values_, static_cast<std::size_t>(size_)}; }
  operator std::span<const std::int64_t>() const { return span(); }

  friend bool operator==(const Dims& a, const Dims& b) {
    if (a.size_ != b.size_) return false;
    for (int i = 0; i < a.size_; ++i)
      if (a.values_[i] != b.values_[i]) return false;
    return true;
  }

  /// "[2,3]"
  std::string str() const;
  /// As str().
  friend WENGERT_API std::ostream& operator<<(std::ostream& out, const Dims& dims);

 private:
  [[noreturn]] static void fail_rank(std::source_location where);
  std::int32_t size_ = 0;
  std::int64_t values_[kMaxRank] = {};
};

/// Sizes of a tensor, outermost first; rank 0 to kMaxRank, sizes ≥ 0, zero allowed anywhere.
using Shape = Dims;
/// Distance between neighbours along each dimension, in elements; 0 repeats, negative runs back.
using Strides = Dims;
/// Axes of a reduction; negative ones count from the back; empty means all.
using Axes = Dims;

/// Number of elements. Throws Error(kShape) on a negative size or a product above 2⁶³−1, where the
/// product is that of the sizes that are not 0.
WENGERT_API std::int64_t element_count(std::span<const std::int64_t> sizes);

/// Bytes of a dense tensor: whoever takes memory for elements asks this. Throws as element_count
/// does, and Error(kShape) above 2⁶³−1.
WENGERT_API std::size_t byte_count(DType dtype, std::span<const std::int64_t> sizes);

/// Row-major strides of a dense tensor.
WENGERT_API Strides dense_strides(std::span<const std::int64_t> sizes);

/// How elements fill memory.
enum class Packing : std::uint8_t {
  kRowMajor,  ///< without gaps, the last axis fastest; at most one element lies so always
  kPermuted,  ///< without gaps, but the axes in another order
  kLoose,     ///< with gaps, repeated, or backwards
};
WENGERT_API Packing packing_of(std::span<const std::int64_t> sizes,
                               std::span<const std::int64_t> strides);

/// "[2,3]", and with a dtype "f32[2,3]".
WENGERT_API std::string to_string(std::span<const std::int64_t> sizes);
WENGERT_API std::string to_string(DType dtype, std::span<const std::int64_t> sizes);

}  // namespace wengert
