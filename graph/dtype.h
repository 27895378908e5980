#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string_view>

#include "wengert/graph/api.h"

namespace wengert {

/// Element type of a tensor. There is no silent promotion: ops on mixed dtypes are errors.
enum class DType : std::uint8_t { kFloat32, kFloat64, kInt32, kInt64, kUint8, kBool };

inline constexpr int kDTypeCount = 6;

/// Bytes of one element.
constexpr std::size_t size_of(DType dtype) {
  constexpr std::uint8_t kSizes[kDTypeCount] = {4, 8, 4, 8, 1, 1};
  return kSizes[static_cast<int>(dtype)];
}

/// Whether derivatives exist for this dtype.
constexpr bool is_floating(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat64;
}

/// Whether this is one of the integer dtypes (bool is not).
constexpr bool is_integer(DType dtype) {
  return dtype == DType::kInt32 || dtype == DType::kInt64 || dtype == DType::kUint8;
}

/// Short name as printed in shapes: f32, f64, i32, i64, u8, bool.
WENGERT_API std::string_view short_name(DType dtype);

/// Full name: float32, float64, int32, int64, uint8, bool; "unknown" beyond.
WENGERT_API std::string_view name_of(DType dtype);
/// The full name.
WENGERT_API std::ostream& operator<<(std::ostream& out, DType dtype);

/// The dtype that holds C++ values of type T.
template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::kFloat32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::kFloat64;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = DType::kInt32;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType value = DType::kInt64;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = DType::kUint8;
};
template <>
struct DTypeOf<bool> {
  static constexpr DType value = DType::kBool;
};
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

/// Calls `body(T{})` with T the C++ type of `dtype`; returns what it returns.
template <class Body>
decltype(auto) dispatch(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::kFloat32:
      return body(float{});
    case DType::kFloat64:
      return body(double{});
    case DType::kInt32:
      return body(std::int32_t{});
    case DType::kInt64:
      return body(std::int64_t{});
    case DType::kUint8:
      return body(std::uint8_t{});
    default:
      return body(bool{});
  }
}

/// The same for the two floating dtypes; any other dtype is taken as float32, so check first.
template <class Body>
decltype(auto) dispatch_floating(DType dtype, Body&& body) {
  return dtype == DType::kFloat64 ? body(double{}) : body(float{});
}

}  // namespace wengert
